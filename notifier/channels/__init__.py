"""Adapters for the providers: one module each, outcomes as values."""
