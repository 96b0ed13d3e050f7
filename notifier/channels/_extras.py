"""Libraries that not everyone needs."""

from collections.abc import Iterator
from contextlib import contextmanager

from notifier.errors import SettingsError


@contextmanager
def extra(name: str, what: str | None = None) -> Iterator[None]:
    """Turn a failing import into advice; `what` needs it is the provider of that name, if unsaid.

    Raises:
        SettingsError: a library of the extra `name` is not installed.
    """
    try:
        yield
    except ImportError as error:
        advice = f"{what or f'provider {name}'} needs a library: pip install notifier[{name}]"
        raise SettingsError(advice) from error
