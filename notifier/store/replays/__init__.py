"""Keeping replays, and working them off."""
