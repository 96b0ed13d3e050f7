"""Failed notifications that are tried again, many at a time."""
