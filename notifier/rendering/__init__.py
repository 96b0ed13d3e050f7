"""The template language: filling what was published, and looking at what was not."""
