"""The endpoints for events."""
