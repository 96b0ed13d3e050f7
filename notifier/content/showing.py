"""What html shows of the files that come along with it."""

import re
from html import unescape
from urllib.parse import unquote

# In an attribute, or in a style: text about a cid: is no picture, nor is a link that has one.
# White space stands in one place at a time, so that no html takes long to look through.
_SHOWN = re.compile(
    r"""(?:[\s"'/][a-z:-]+\s*=|url\()\s*(?:["']\s*)?cid:([^"'()\s<>]+)""", re.IGNORECASE
)


def shown_ids(html: str | None) -> frozenset[str]:
    """Return the names that html refers to as `cid:` and a name (RFC 2392)."""
    if not html or "cid:" not in html.lower():
        return frozenset()
    return frozenset(unquote(unescape(each)) for each in _SHOWN.findall(html))
