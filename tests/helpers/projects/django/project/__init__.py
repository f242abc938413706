"""A Django project for tests: its mounts and options come from the environment."""
