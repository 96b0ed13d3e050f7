"""The chaos run: a whole notifier under load, everything in it killed, and an account of it."""
