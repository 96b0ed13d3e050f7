"""What an error is to whoever runs a command."""

from notifier.errors import NotifierError, SchemaError, SettingsError


def exit_code_of(error: NotifierError) -> int:
    """Return 2 for what is wrong with settings and the like, 1 for what failed."""
    return 2 if isinstance(error, SettingsError | SchemaError) else 1


def words_of(error: NotifierError) -> str:
    """Say it in a line."""
    return str(error) or type(error).__name__
