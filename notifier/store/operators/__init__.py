"""Operators, their sessions, and wrong passwords, in the database."""
