"""``check``: whether an application takes some content, at a start and by a reload."""
