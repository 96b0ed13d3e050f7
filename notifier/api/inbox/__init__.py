"""The endpoints for in-app inboxes."""
