"""Templates: what a notification says, in versions that never change.

A draft may hold anything. What is published of it is a version, which a notification is pinned to
when it is accepted.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from notifier.notification.model import Channel, JsonValue

Variables: TypeAlias = Mapping[str, JsonValue]
Parts: TypeAlias = Mapping[str, Mapping[Channel, Mapping[str, str]]]
"""Sources by locale, channel and part, such as `parts["en"][Channel.EMAIL]["subject"]`."""

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,99}$"
NAME_WORDS = (
    "expected a name such as booking.confirmed: a to z, 0 to 9, and after the first of them "
    "dots, dashes and underscores, 100 at most"
)
MOST_KEPT_CHARS = 50_000_000
"""Of the sources of versions that a process keeps to have them at hand."""
_LEAST_WEIGHT = 50_000
"""A thousand of the smallest are kept."""
LOCALE_PATTERN = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$"
_LOCALE = re.compile(LOCALE_PATTERN[:-1] + r"\Z", re.ASCII)
_NAME = re.compile(NAME_PATTERN[:-1] + r"\Z", re.ASCII)

PART_NAMES: Mapping[Channel, Sequence[str]] = {
    Channel.EMAIL: ("subject", "preheader", "text", "html", "mjml"),
    Channel.SMS: ("text",),
    Channel.IN_APP: ("subject", "text", "action_url"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a template holds: the sources of its parts, and what fills them.

    `schema` is a JSON Schema (2020-12) of the variables; `examples` are sets of them. `category`
    is what people choose by.
    """

    category: str = "transactional"
    default_locale: str
    parts: Parts
    schema: Mapping[str, JsonValue]
    examples: Sequence[Variables] = ()
    layout: str | None = None
    """The partial that a draft is put into; a version is in its already."""
    is_partial: bool = False
    """Whether other templates take it in, and nobody sends it."""
    uses: Mapping[str, int] = field(default_factory=dict)
    """Of a version: the partials that were taken in, and their numbers."""
    images: Mapping[str, UUID] = field(default_factory=dict)
    """Attachments that its html shows, as `cid:` and their name here."""
    brand: Mapping[str, JsonValue] = field(default_factory=dict)
    """What `brand.*` says: of a version that reads it, as it was when that was published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateVersion:
    """A published content; it never changes. `number` counts within its template, from 1."""

    id: UUID
    service: str
    name: str
    number: int
    content: Content
    checksum: str
    """Of the content, hexadecimal."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TemplateRef:
    """A template as somebody asks for it: a number, or what is published now."""

    name: str
    number: int | None = None


def kept_weight(version: TemplateVersion) -> int:
    """Return about how many characters of memory a version takes, whoever keeps it."""
    sources = version.content.parts.values()
    return _LEAST_WEIGHT + sum(
        len(source)
        for channels in sources
        for parts in channels.values()
        for source in parts.values()
    )


class Severity(StrEnum):
    """What a finding prevents: an error is not published."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with a content, or may be: where, a code that stays, and words.

    `line` and `column` count from 1; all of a place is None where it is not known.
    """

    severity: Severity
    code: str
    detail: str
    locale: str | None = None
    channel: Channel | None = None
    part: str | None = None
    partial: str | None = None
    """The partial that the line is in, if it is not the template itself."""
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True)
class VariableFault:
    """What is wrong with one variable: its place as a path, in words that do not repeat it."""

    path: tuple[str | int, ...]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The parts of one channel, filled; those that the channel does not have are None."""

    text: str
    subject: str | None = None
    html: str | None = None
    action_url: str | None = None
    locale: str | None = None
    """That of the parts that were taken."""


def is_template_name(text: str) -> bool:
    """Whether a template may be called that, such as `booking.confirmed`."""
    return _NAME.match(text) is not None


def is_locale(tag: str) -> bool:
    """Whether that may be a language's tag, such as `en` or `de-AT` (BCP 47)."""
    return _LOCALE.match(tag) is not None


def locale_chain(wanted: str | None, default: str) -> Sequence[str]:
    """Return the locales to look for, the best first: `de-Latn-AT`, `de-AT`, `de`, the default."""
    chain: list[str] = []
    if wanted:
        subtags = wanted.split("-")
        chain = ["-".join(subtags[:count]) for count in range(len(subtags), 0, -1)]
        if len(subtags) > 2:  # noqa: PLR2004  language, script, region
            chain.insert(1, f"{subtags[0]}-{subtags[-1]}")
    return list(dict.fromkeys([*chain, default]))


def chosen_locale(content: Content, channel: Channel, wanted: str | None) -> str | None:
    """Return the locale whose parts a notification gets, all of them; None without any."""
    for locale in locale_chain(wanted, content.default_locale):
        if content.parts.get(locale, {}).get(channel):
            return locale
    return None
