"""Whom to send to: addresses, inboxes, and who must not be sent to."""
