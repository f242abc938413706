"""``os.environ``: what is mirrored, and the environment of the next generation."""
