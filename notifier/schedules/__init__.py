"""Notifications at times of the day: when they are due, and one for each."""
