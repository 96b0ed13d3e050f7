"""Rules in the database."""
