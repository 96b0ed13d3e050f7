"""Numbers, money, times and lists as a locale and a time zone have them."""

from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.numbers import is_currency

from notifier.content.template import locale_chain

_FALLBACK = "en"
UTC = "UTC"


@dataclass(frozen=True, slots=True)
class Formats:
    """How values are written for one recipient."""

    locale: Locale
    zone: ZoneInfo


def known_locale(tag: str) -> Locale | None:
    """Return the locale of a BCP 47 tag, None if nothing is known of its language."""
    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError, TypeError):
        return None


def known_zone(name: object) -> ZoneInfo | None:
    """Return the time zone of that IANA name, if it is one."""
    if not isinstance(name, str):
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return None


@lru_cache(maxsize=1_000)
def known_currency(code: str) -> bool:
    """Whether that is the code of a currency, such as EUR."""
    return is_currency(code)


@lru_cache(maxsize=1_000)
def formats(locale: str, zone: str | None) -> Formats:
    """Return how values are written; a locale or zone that is not known counts as en or UTC."""
    known = (known_locale(tag) for tag in locale_chain(locale, _FALLBACK))
    best = next((each for each in known if each), Locale(_FALLBACK))
    return Formats(best, known_zone(zone) or ZoneInfo(UTC))
