"""What commands check of their arguments."""

from notifier.access import keys
from notifier.errors import SettingsError


def check_service(name: str) -> None:
    """Raise SettingsError unless a service can be called so."""
    if not keys.is_service_name(name):
        raise SettingsError(
            "the name of a service has 1 to 100 characters, no control characters or line breaks, "
            "and no space at its ends"
        )
