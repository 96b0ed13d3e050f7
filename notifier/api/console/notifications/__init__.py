"""Notifications in the console: searches, and each with its timeline."""
