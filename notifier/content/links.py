"""Where links may lead."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

MAX_ACTION_URL_CHARS = 2_048
_SCHEMES = frozenset({"https", "mailto", "tel"})
_WRITTEN = re.compile(r"\bhttps?://[^\s<>\"')\]]+", re.IGNORECASE)
# White space, what an address cannot hold, and what hides in one or turns its writing around.
_NOT_IN_URLS = re.compile(
    r"[\x00-\x20\x7f-\xa0\"<>\\^`{|}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
# The last label of a host that is read as an address: decimal, octal or hexadecimal
# (url.spec.whatwg.org, "ends in a number").
_NUMBER = re.compile(r"(?:\d+|0x[0-9a-f]*)", re.IGNORECASE | re.ASCII)


def link_fault(address: str, *, schemes: frozenset[str] = _SCHEMES) -> str | None:
    """Return what is wrong with a link, in words; an anchor in the same page is none."""
    if address.startswith("#"):
        return None
    try:
        parts = urlsplit(address.strip())
        host = parts.hostname
    except ValueError:
        return "it cannot be read"
    if parts.scheme not in schemes:
        return f"it must begin with {', '.join(sorted(f'{each}:' for each in schemes))}"
    if parts.scheme == "https" and not host:
        return "it names no host"
    return "it leads to a bare address instead of a name" if host and _is_ip(host) else None


def action_url_fault(address: str) -> str | None:
    """Return what is wrong with where an in_app notification leads, in words.

    That is an https address, or a path of the service's own app, such as `/bookings/42`.
    """
    if len(address) > MAX_ACTION_URL_CHARS:
        return f"it has more than {MAX_ACTION_URL_CHARS:,} characters"
    if has_unfit_characters(address):
        return "it has characters that no address has"
    if address.startswith("/"):
        return "a path begins with one /" if address.startswith("//") else None
    if not address.startswith("https:"):
        return "expected https://..., or a path of the app that begins with /"
    if "@" in address.partition("//")[2].partition("/")[0]:
        return "it names a user"
    return link_fault(address, schemes=frozenset({"https"}))


def has_unfit_characters(address: str) -> bool:
    """Whether it has what no address has: white space, quotes, brackets, what is not seen."""
    return _NOT_IN_URLS.search(address) is not None


def written_links(text: str) -> list[str]:
    """Return the addresses that stand in a text."""
    return _WRITTEN.findall(text)


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return _NUMBER.fullmatch(host.removesuffix(".").rpartition(".")[2]) is not None
    return True
