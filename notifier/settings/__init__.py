"""Settings: the NOTIFIER_* variables."""
