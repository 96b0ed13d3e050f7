"""Notifications in the database."""
