"""Values: no disk, no thread, no settings object."""
