"""One reload, step by step, and what an application holds of it."""
