"""Broadcasts over HTTP."""
