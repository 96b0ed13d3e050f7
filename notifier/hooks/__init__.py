"""Hooks: code of others that is told what happens to notifications."""
