"""Providers: how they stand, an operator's pause, and tests."""
