"""A directory, read as one generation."""
