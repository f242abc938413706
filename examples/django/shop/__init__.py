"""A small shop whose settings follow a mounted ConfigMap."""
