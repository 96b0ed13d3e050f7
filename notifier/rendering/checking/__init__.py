"""Finding all that is wrong with a content, or may be. It runs in a child process."""
