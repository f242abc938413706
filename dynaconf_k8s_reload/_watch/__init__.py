"""When to look at the mounts: events, comparisons, forks."""
