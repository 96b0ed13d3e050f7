"""Erasing people from the database."""
