"""Notifications, keys, inboxes and captures in PostgreSQL or SQLite."""
