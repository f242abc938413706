"""A project without this package's app, and without a line for it."""
