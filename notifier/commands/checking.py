"""What commands check of their arguments."""

import json

from notifier.access import keys
from notifier.errors import SettingsError
from notifier.notification.model import JsonValue


def check_service(name: str) -> None:
    """Raise SettingsError unless a service can be called so."""
    if not keys.is_service_name(name):
        raise SettingsError(
            "the name of a service has 1 to 100 characters, no control characters or line breaks, "
            "and no space at its ends"
        )


def json_of(text: str | bytes, otherwise: str) -> JsonValue:
    """Read JSON, however it is broken; raises SettingsError, which says `otherwise`."""
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        raise SettingsError(otherwise) from None
    return value


def named(text: str, option: str) -> tuple[str, str]:
    """Read name=value; raises SettingsError."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise SettingsError(f"{option}: expected name=value")
    return name, value


def variable_of(text: str) -> tuple[str, JsonValue]:
    """Read a variable, name=text or name:=JSON; raises SettingsError."""
    name, value = named(text, "--variable")
    if not name.endswith(":"):
        return name, value
    return name.removesuffix(":"), json_of(value, "--variable: expected JSON after :=")
