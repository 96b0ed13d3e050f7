"""Whole worlds of notifier in one process, in virtual time."""
