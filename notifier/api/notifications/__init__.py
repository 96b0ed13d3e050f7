"""The endpoints for notifications."""
