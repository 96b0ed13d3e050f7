"""Where links may lead."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

_SCHEMES = frozenset({"https", "mailto", "tel"})
_WRITTEN = re.compile(r"\bhttps?://[^\s<>\"')\]]+", re.IGNORECASE)


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


def written_links(text: str) -> list[str]:
    """Return the addresses that stand in a text."""
    return _WRITTEN.findall(text)


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return host.replace(".", "").isdigit() or host.startswith("0x")
    return True
