"""What templates do to values: by locale and time zone, and each within bounds of its own.

The engine's fuel does not count what happens here.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from html import unescape
from typing import TypeVar
from urllib.parse import urlsplit

import minijinja
import nh3
from babel import dates, lists, numbers
from minijinja._lowlevel import State

from notifier.content.links import has_unfit_characters
from notifier.rendering.faults import FilterError
from notifier.rendering.formats import Formats, known_currency, known_zone
from notifier.rendering.multiplying import times_or_repeated
from notifier.rendering.values import Allowance, safe
from notifier.urls import THIS_MACHINE

FORMATS = "%formats"
CLEANING = "%cleaning"
"""What filters look up; no template can name them."""
_DECIMAL = re.compile(r"-?\d{1,18}(?:\.\d{1,18})?", re.ASCII)
_MAX_NUMBER = 10**18
_MAX_DECIMALS = 10
_WIDTHS = frozenset({"short", "medium", "long", "full"})
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MAX_TIME_CHARS = 40
_MAX_ITEMS = 100
_MAX_ITEM_CHARS = 1_000
_MAX_URL_CHARS = 2_048
_SCHEMES = frozenset({"https", "mailto", "tel"})
_MAX_RICH_CHARS = 50_000
_MAX_TRUNCATED = 10_000
_MAX_FORM_CHARS = 500

_Read = TypeVar("_Read")

_CLEANER = nh3.Cleaner(
    tags={"p", "br", "b", "strong", "i", "em", "u", "ul", "ol", "li", "a", "blockquote"},
    attributes={"a": {"href"}},
    url_schemes={"https", "mailto"},
    url_relative="deny",
    link_rel="noopener noreferrer",
)
_STRIPPER = nh3.Cleaner(tags=set(), attributes={}, link_rel=None)


def money(state: State, value: object, currency: object = None) -> str:
    """Write an amount: a decimal as a string, or an integer in the currency's minor unit."""
    locale = _formats(state, "money").locale
    code = currency if isinstance(currency, str) and known_currency(currency) else None
    if code is None:
        raise FilterError("money", 'needs a currency, such as money("EUR")')
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MAX_NUMBER:
        amount = Decimal(value).scaleb(-numbers.get_currency_precision(code))
    elif isinstance(value, str) and _DECIMAL.fullmatch(value):
        amount = Decimal(value)
    else:
        raise FilterError("money", 'needs a string such as "12.50", or an integer in minor units')
    return numbers.format_currency(amount, code, locale=locale)


def number(state: State, value: object, decimals: object = None) -> str:
    """Write a number; with a count of decimals, rounded to it."""
    locale = _formats(state, "number").locale
    amount, places = _number("number", value), _decimals("number", decimals)
    if places is None:
        return numbers.format_decimal(amount, locale=locale, decimal_quantization=False)
    return numbers.format_decimal(amount, format="#,##0" + _fraction(places), locale=locale)


def percent(state: State, value: object, decimals: object = 0) -> str:
    """Write a share of one as a percentage."""
    locale = _formats(state, "percent").locale
    amount, places = _number("percent", value), _decimals("percent", decimals) or 0
    pattern = locale.percent_formats[None].pattern.replace("0", "0" + _fraction(places), 1)
    return numbers.format_percent(amount, format=pattern, locale=locale)


def date_of(state: State, value: object, width: object = "medium", zone: object = None) -> str:
    """Write a day: of a time in the recipient's zone, or the one named; or a plain date."""
    used = _formats(state, "date")
    if isinstance(value, str) and _DATE.fullmatch(value):
        return dates.format_date(
            _parsed("date", date.fromisoformat, value), _width("date", width), used.locale
        )
    moment = _moment("date", value, zone, used)
    return dates.format_date(moment, _width("date", width), used.locale)


def time_of(state: State, value: object, width: object = "short", zone: object = None) -> str:
    """Write a time of day, in the recipient's zone or the one named."""
    used = _formats(state, "time")
    moment = _moment("time", value, zone, used)
    return dates.format_time(moment, _width("time", width), moment.tzinfo, used.locale)


def datetime_of(state: State, value: object, width: object = "medium", zone: object = None) -> str:
    """Write a day and a time with its zone's abbreviation."""
    used = _formats(state, "datetime")
    moment = _moment("datetime", value, zone, used)
    written = dates.format_datetime(moment, _width("datetime", width), None, used.locale)
    if width in ("long", "full"):  # these have a zone of their own
        return written
    zone_name = dates.get_timezone_name(moment, "short", locale=used.locale)
    # A locale knows the abbreviations of its own zones; the rest have one by IANA.
    return f"{written} {zone_name if zone_name[:1].isalpha() else moment.tzname()}"


def plural(state: State, value: object, **forms: object) -> str:
    """Choose the form that a count has: `plural(one="seat", other="seats")`."""
    used = _formats(state, "plural")
    texts = {name: form for name, form in forms.items() if isinstance(form, str)}
    if "other" not in texts or any(len(text) > _MAX_FORM_CHARS for text in texts.values()):
        raise FilterError("plural", 'needs short forms, such as plural(one="seat", other="seats")')
    form = used.locale.plural_form(_number("plural", value))
    return texts.get(form, texts["other"])


def list_of(state: State, value: object) -> str:
    """Write several texts as a list: `a, b and c`."""
    locale = _formats(state, "list").locale
    if not isinstance(value, list | tuple) or len(value) > _MAX_ITEMS:
        raise FilterError("list", f"needs a list of at most {_MAX_ITEMS}")
    return lists.format_list([_item(each) for each in value], locale=locale)


def url(value: object) -> str:
    """Let through an address that a link may have: https, mailto or tel; and none at all.

    On this machine a link of ours may do without TLS.
    """
    if value == "":
        return ""
    if not isinstance(value, str) or len(value) > _MAX_URL_CHARS or has_unfit_characters(value):
        raise FilterError("url", f"needs an address of at most {_MAX_URL_CHARS:,} characters")
    if not _is_followed(value):
        raise FilterError("url", "needs an address that begins with https:, mailto: or tel:")
    return value


def rich(state: State, value: object) -> str:
    """Clean a value's HTML; where there is no HTML, its text."""
    if not isinstance(value, str) or len(value) > _MAX_RICH_CHARS:
        raise FilterError("rich", f"needs HTML of at most {_MAX_RICH_CHARS:,} characters")
    cleaning = state.lookup(CLEANING)
    if not isinstance(cleaning, Allowance):
        raise FilterError("rich", "has nothing to clean with here")
    cleaning.spend(value.count("<"))
    if state.auto_escape == "html":
        return safe(_CLEANER.clean(value))
    return unescape(_STRIPPER.clean(value))


def truncate(value: object, length: object = 100, end: object = "…") -> str:
    """Cut a text to a length, the sign of it included, between words where there is a space."""
    if not isinstance(value, str) or not isinstance(end, str):
        raise FilterError("truncate", "needs a text")
    if not isinstance(length, int) or not len(end) < length <= _MAX_TRUNCATED:
        raise FilterError("truncate", f"needs a length of at most {_MAX_TRUNCATED:,}")
    if len(value) <= length:
        return str(value)
    cut = value[: length - len(end)]
    if not value[len(cut)].isspace() and " " in cut:
        cut = cut.rpartition(" ")[0]
    return cut.rstrip() + end


FILTERS: Mapping[str, Callable[..., object]] = {
    "money": minijinja.pass_state(money),
    "number": minijinja.pass_state(number),
    "percent": minijinja.pass_state(percent),
    "date": minijinja.pass_state(date_of),
    "time": minijinja.pass_state(time_of),
    "datetime": minijinja.pass_state(datetime_of),
    "plural": minijinja.pass_state(plural),
    "list": minijinja.pass_state(list_of),
    "rich": minijinja.pass_state(rich),
    "url": url,
    "truncate": truncate,
    "times": times_or_repeated,
}


def _formats(state: State, name: str) -> Formats:
    found = state.lookup(FORMATS)
    if not isinstance(found, Formats):
        raise FilterError(name, "has no locale here")
    return found


def _number(name: str, value: object) -> Decimal:
    match value:
        case bool():
            pass
        case int() | float() if abs(value) < _MAX_NUMBER:  # what is no number is not less
            return Decimal(str(value))
        case str() if _DECIMAL.fullmatch(value):
            return Decimal(value)
        case _:
            pass
    raise FilterError(name, "needs a number")


def _decimals(name: str, count: object) -> int | None:
    if count is None or (isinstance(count, int) and 0 <= count <= _MAX_DECIMALS):
        return count
    raise FilterError(name, f"shows at most {_MAX_DECIMALS} decimals")


def _fraction(places: int) -> str:
    return "." + "0" * places if places else ""


def _moment(name: str, value: object, zone: object, used: Formats) -> datetime:
    if not isinstance(value, str) or len(value) > _MAX_TIME_CHARS:
        raise FilterError(name, "needs a time such as 2026-03-01T18:30:00Z")
    moment = _parsed(name, datetime.fromisoformat, value)
    if moment.tzinfo is None:
        raise FilterError(name, "needs a time with its offset, such as 2026-03-01T18:30:00+01:00")
    shown = used.zone if zone is None else known_zone(zone)
    if shown is None:
        raise FilterError(name, 'needs a time zone, such as zone="Europe/Vienna"')
    try:
        return moment.astimezone(shown)
    except (ValueError, OverflowError):
        raise FilterError(name, "needs a time that its zone has") from None


def _parsed(name: str, parse: Callable[[str], _Read], value: str) -> _Read:
    try:
        return parse(value)
    except ValueError:
        raise FilterError(name, "needs a time such as 2026-03-01T18:30:00Z") from None


def _width(name: str, width: object) -> str:
    if isinstance(width, str) and width in _WIDTHS:
        return width
    raise FilterError(name, "is short, medium, long or full")


def _item(value: object) -> str:
    if isinstance(value, str) and len(value) <= _MAX_ITEM_CHARS:
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise FilterError("list", "needs a list of short texts")


def _is_followed(address: str) -> bool:
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return False
    if parts.scheme == "http" and host in THIS_MACHINE:
        return True
    if parts.scheme != "https":
        return parts.scheme in _SCHEMES and bool(parts.path)
    return bool(host) and "@" not in parts.netloc
