"""Html that anybody may have written: cleaning it, and reading what it says as a text."""

import asyncio
import re
from collections.abc import Iterator
from typing import Final

import nh3
from html_to_markdown import ConversionOptions, convert

from notifier.errors import TemplateError

MAX_TAGS: Final = 10_000
"""Of html that is cleaned. What is nested n deep takes n² steps: so many, a tenth of a second."""
_MAX_DEPTH = 200


def _words(text: str) -> set[str]:
    return set(text.split())


_LAYOUT = {"align", "bgcolor", "dir", "height", "lang", "role", "style", "title", "valign", "width"}
_TAGS = _words(
    "a abbr b blockquote br caption center code col colgroup dd del div dl dt em font h1 h2 h3 h4 "
    "h5 h6 hr i img ins li ol p pre q s small span strong sub sup table tbody td tfoot th thead tr "
    "u ul"
)
_STYLES = _words(
    "background-color border border-bottom border-collapse border-color border-left border-radius "
    "border-right border-spacing border-style border-top border-width color display font-family "
    "font-size font-style font-weight height letter-spacing line-height list-style-type margin "
    "margin-bottom margin-left margin-right margin-top max-width min-width overflow-wrap padding "
    "padding-bottom padding-left padding-right padding-top text-align text-decoration "
    "text-transform vertical-align white-space width word-break"
)
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags={"script", "style", "head", "title", "template", "noscript", "iframe"},
    attributes={
        "*": _LAYOUT,
        "a": {"href"},
        "img": {"src", "alt", "border"},
        "table": {"border", "cellpadding", "cellspacing"},
        "td": {"colspan", "rowspan"},
        "th": {"colspan", "rowspan", "scope"},
        "ol": {"start", "type"},
        "font": {"color", "face", "size"},
    },
    filter_style_properties=_STYLES,
    url_schemes={"https", "http", "mailto", "tel", "cid"},
    url_relative="deny",
    link_rel="noopener noreferrer",
)
_LINK = re.compile(
    r"""<a\s(?:[^<>]*?\s)?href\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)')[^<>]*>|</a\s*>""", re.IGNORECASE
)
_SHOWN = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_INDENT = re.compile(r"\n (?=\S)")
# From where white space begins: from each of its places it would take half a minute and more.
_BLANK_LINES = re.compile(r"(?<![ \t])[ \t]*\n(?:[ \t]*\n)+")


class HtmlMarkup:
    """Cleans and reads html in threads: its libraries let the interpreter go meanwhile."""

    async def cleaned(self, html: str) -> str:
        if html.count("<") > MAX_TAGS:
            message = f"it has more than {MAX_TAGS} tags, which is more than is sanitised"
            raise TemplateError(message)
        return await asyncio.to_thread(_CLEANER.clean, html)

    async def text_of(self, html: str) -> str:
        return await asyncio.to_thread(text_of, html)


def text_of(html: str) -> str:
    """Return what html says, addresses of links behind their words, cells between tabs."""
    options = ConversionOptions(
        output_format="plain", extract_metadata=False, compact_tables=True, max_depth=_MAX_DEPTH
    )
    text: str = convert("".join(_with_addresses(html)), options).content or ""
    return _BLANK_LINES.sub("\n\n", _INDENT.sub("\n", text)).strip()


def _with_addresses(html: str) -> Iterator[str]:
    """Write the address of each link before its end, where a text shows it too."""
    end, address, start = 0, "", 0
    for match in _LINK.finditer(html):
        if match[0].startswith("</"):
            yield html[end : match.start()]
            end = match.start()
            if address and not _says(html[start : match.start()], address):
                yield f" ({address})"
            address = ""
        else:
            found = match[1] or match[2] or ""
            address = found.strip() if _SHOWN.match(found.strip()) else ""
            start = match.end()
    yield html[end:]


def _says(words: str, address: str) -> bool:
    """Whether the words of a link are its address already."""
    return _TAG.sub("", words).strip() == re.sub(r"^(?:mailto|tel):", "", address)
