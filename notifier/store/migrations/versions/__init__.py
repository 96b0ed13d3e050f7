"""The schema's revisions, oldest first. They are only ever added to."""
