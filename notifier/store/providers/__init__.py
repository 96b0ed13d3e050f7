"""Provider accounts in the database."""
