"""Access tokens for mail servers that take no password (OAuth 2.0)."""
