"""What pages show of templates, and of what is found in them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from notifier.api.console.authoring.places import path_of
from notifier.api.console.words import CHANNELS, counted, time_words
from notifier.api.templates.shapes import in_order
from notifier.content.library import Template
from notifier.content.template import PART_NAMES, Content, Finding, Severity, TemplateVersion
from notifier.notification.model import Channel

PARTS: Mapping[str, str] = {
    "subject": "Subject",
    "preheader": "Preheader",
    "text": "Text",
    "html": "HTML",
    "mjml": "MJML",
    "action_url": "Where it leads",
}
HINTS: Mapping[str, str] = {
    "preheader": "What mail programs show after the subject",
    "html": "HTML, or MJML that becomes it, not both; blank: made of the text",
    "mjml": "See mjml.io; it becomes HTML when it is published",
    "action_url": "An https address",
}
_MOST_SHOWN_CHARS = 160


@dataclass(frozen=True, slots=True)
class Place:
    """Which parts an editor shows: those of a language and a channel."""

    locale: str
    channel: Channel

    @property
    def words(self) -> str:
        """How people read it."""
        return f"{self.locale} · {CHANNELS[self.channel]}"

    def query(self) -> Mapping[str, str]:
        """Return it as an address has it."""
        return {"locale": self.locale, "type": self.channel.value}

    def parts_of(self, content: Content) -> Mapping[str, str]:
        """Return what a content says there."""
        return content.parts.get(self.locale, {}).get(self.channel, {})


def places_of(content: Content) -> Sequence[Place]:
    """Return for what a content says something, the default language first."""
    first = [content.default_locale, *sorted(set(content.parts) - {content.default_locale})]
    return [
        Place(locale, channel)
        for locale in first
        for channel in Channel
        if channel in content.parts.get(locale, {})
    ]


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in a content of a template, to be shown beside its sources."""

    service: str
    name: str
    content: Content
    found: Sequence[Finding]

    @property
    def summary(self) -> str:
        """How many there are of each kind."""
        errors = sum(each.severity is Severity.ERROR for each in self.found)
        warnings = len(self.found) - errors
        if not self.found:
            return "Nothing is found: it can be published."
        words = [counted(errors, "error")] if errors else []
        words += [counted(warnings, "warning")] if warnings else []
        after = "it cannot be published like this" if errors else "it can be published"
        return f"{' and '.join(words)}: {after}."

    @property
    def has_errors(self) -> bool:
        """Whether it cannot be published."""
        return any(each.severity is Severity.ERROR for each in self.found)

    def at(self, place: Place, part: str) -> Sequence[Mapping[str, object]]:
        """Return what is shown beside a part."""
        return [self._shown(each) for each in in_order(self.found) if _is_at(each, place, part)]

    def elsewhere(self, place: Place | None = None) -> Sequence[Mapping[str, object]]:
        """Return what is shown beside no part of this place, each with where it leads."""
        return [
            {**self._shown(each), **self._leading(each)}
            for each in in_order(self.found)
            if place is None or not any(_is_at(each, place, part) for part in PARTS)
        ]

    def _shown(self, it: Finding) -> Mapping[str, object]:
        return {
            "severity": it.severity.value,
            "code": it.code,
            "detail": it.detail,
            "line": it.line,
            "column": it.column,
            "source": self._source(it),
            "partial": it.partial or "",
            "partial_path": path_of(self.service, it.partial) if it.partial else "",
            "where": "",
            "path": "",
        }

    def _source(self, it: Finding) -> str:
        """Return the line that it is about, if that is one of the template itself."""
        if it.partial or it.line is None or it.locale is None or it.channel is None:
            return ""
        source = Place(it.locale, it.channel).parts_of(self.content).get(it.part or "", "")
        lines = source.split("\n")
        return lines[it.line - 1].strip()[:_MOST_SHOWN_CHARS] if it.line <= len(lines) else ""

    def _leading(self, it: Finding) -> Mapping[str, object]:
        if it.locale is None or it.channel is None:
            return {}
        place = Place(it.locale, it.channel)
        part = PARTS.get(it.part or "", "")
        where = f"{place.words} · {part}" if part else place.words
        path = path_of(self.service, self.name, "/edit", **place.query())
        return {"where": where, "path": f"{path}#{it.part}" if part else path}


def _is_at(it: Finding, place: Place, part: str) -> bool:
    return (it.locale, it.channel, it.part) == (place.locale, place.channel, part)


def state_of(it: Template) -> str:
    """Return how it stands, in a word."""
    if it.is_archived:
        return "archived"
    return "draft" if it.published is None else "published"


def shown_version(it: TemplateVersion, published: int | None) -> Mapping[str, object]:
    """Return what is said of a version."""
    return {
        "number": it.number,
        "at": time_words(it.created_at),
        "is_sent": it.number == published,
        "before": it.number - 1,
    }


def shown_parts(content: Content) -> Iterator[Mapping[str, object]]:
    """Yield what a content says, place by place."""
    for place in places_of(content):
        parts = place.parts_of(content)
        yield {
            "words": place.words,
            "locale": place.locale,
            "channel": place.channel.value,
            "parts": [
                (PARTS[name], parts[name]) for name in PART_NAMES[place.channel] if name in parts
            ],
        }
