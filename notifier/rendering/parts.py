"""A content whose parts are read: fills those of one channel."""

from collections.abc import Mapping
from dataclasses import replace

from notifier.content.links import action_url_fault
from notifier.content.ports import Offered
from notifier.content.template import Content, Rendered, Variables, chosen_locale
from notifier.errors import TemplateError
from notifier.notification.model import Channel, JsonValue
from notifier.rendering.engine import Engine
from notifier.rendering.faults import PartError
from notifier.rendering.formats import UTC, Formats, formats, known_zone
from notifier.rendering.limits import (
    FUEL,
    MAX_HTML_CHARS,
    MAX_SUBJECT_CHARS,
    MAX_TEXT_CHARS,
)
from notifier.rendering.pages import MADE_OF_MJML, Finisher
from notifier.rendering.reckoning import Reckoning, reckoned, size
from notifier.rendering.values import Value, shielded

_CAPS: Mapping[str, int] = {"html": MAX_HTML_CHARS, "subject": MAX_SUBJECT_CHARS}


class LocatedError(TemplateError):
    """What is wrong with which part."""

    def __init__(self, fault: PartError, locale: str, channel: Channel, part: str | None) -> None:
        place = " ".join(each for each in (channel.value, part) if each)
        line = f", line {fault.line}" if fault.line else ""
        super().__init__(f"{place} ({locale}{line}): {fault.words}")
        self.fault = fault
        self.locale = locale
        self.channel = channel
        self.part = part


class Parts:
    """The parts of a content, read once, in whatever order they are asked for."""

    def __init__(self, content: Content, finisher: Finisher, fuel: int = FUEL) -> None:
        self._content = content
        self._finisher = finisher
        self._engine = Engine(fuel)
        self._read: set[str] = set()
        self._reckoned: dict[str, Reckoning | None] = {}

    def alone(self, channel: Channel, locale: str | None) -> Content | None:
        """Return the content with nothing but what a channel has in the best locale."""
        chosen = chosen_locale(self._content, channel, locale)
        if chosen is None:
            return None
        parts = {chosen: {channel: self._content.parts[chosen][channel]}}
        return replace(
            self._content, default_locale=chosen, parts=parts, schema={}, examples=(), images={}
        )

    def are_small(
        self, channel: Channel, locale: str | None, variables: Variables, offered: Offered
    ) -> bool:
        """Whether filling the parts of a channel is sure to take little."""
        chosen = chosen_locale(self._content, channel, locale)
        if chosen is None:
            return True
        given = size({**variables, **self._offered(offered, "")})
        for part, source in self._content.parts[chosen][channel].items():
            name = f"{chosen}/{channel.value}/{part}"
            if name not in self._reckoned:
                self._reckoned[name] = reckoned(source)
            found = self._reckoned[name]
            if found is None or not found.is_small(given):
                return False
        return True

    def filled(
        self,
        channel: Channel,
        *,
        locale: str | None,
        variables: Variables,
        offered: Offered,
        now: str,
        default_zone: str = UTC,
    ) -> Rendered:
        """Fill the parts of a channel in the best locale; who has no zone has the default one.

        Raises:
            TemplateError: there are none, or they cannot be filled.
        """
        chosen = chosen_locale(self._content, channel, locale)
        if chosen is None:
            raise TemplateError(_no_parts(self._content, channel, locale))
        # After the variables: theirs is not the last word.
        data = _shielded({**variables, **self._offered(offered, now)}, chosen, channel)
        zone = known_zone(offered.recipient.get("time_zone")) or known_zone(default_zone)
        used = formats(chosen, zone.key if zone else None)
        return self._rendered(channel, chosen, data, used)

    def _offered(self, offered: Offered, now: str) -> Mapping[str, JsonValue]:
        return {
            "recipient": dict(offered.recipient),
            "brand": dict(self._content.brand),
            "notification": dict(offered.notification),
            "unsubscribe_url": offered.unsubscribe_url,
            "preferences_url": offered.preferences_url,
            "now": now,
        }

    def _rendered(
        self, channel: Channel, locale: str, data: Mapping[str, Value], used: Formats
    ) -> Rendered:
        sources = self._content.parts[locale][channel]
        done = {
            part: self._part(channel, locale, part, data, used)
            for part in sources
            if part != "mjml"
        }
        html, preheader = done.get("html"), done.get("preheader")
        if "text" not in done:
            fault = PartError("part-missing", "the text is missing")
            raise LocatedError(fault, locale, channel, "text")
        if html is not None:
            html = self._finished(channel, locale, html, preheader)
        return Rendered(
            locale=locale,
            text=done["text"],
            subject=done.get("subject"),
            html=html,
            action_url=done.get("action_url") or None,
        )

    def _part(
        self,
        channel: Channel,
        locale: str,
        part: str,
        data: Mapping[str, Value],
        used: Formats,
    ) -> str:
        name = f"{locale}/{channel.value}/{part}"
        try:
            if name not in self._read:
                self._engine.add(name, self._content.parts[locale][channel][part])
                self._read.add(name)
            return _bounded(part, self._engine.filled(name, data, used))
        except PartError as fault:
            raise LocatedError(fault, locale, channel, part) from None

    def _finished(self, channel: Channel, locale: str, html: str, preheader: str | None) -> str:
        source = self._content.parts[locale][channel]["html"]
        by_hand = not source.startswith(MADE_OF_MJML)
        try:
            done = self._finisher.finished(html, preheader, needs_inlining=by_hand)
            return _bounded("html", done)
        except PartError as fault:
            raise LocatedError(fault, locale, channel, "html") from None
        except ValueError:
            unread = PartError("styles", "its styles cannot be read")
            raise LocatedError(unread, locale, channel, "html") from None


def _shielded(data: Mapping[str, JsonValue], locale: str, channel: Channel) -> Mapping[str, Value]:
    try:
        return shielded(data)
    except PartError as fault:
        raise LocatedError(fault, locale, channel, None) from None


def _bounded(part: str, filled: str) -> str:
    most = _CAPS.get(part, MAX_TEXT_CHARS)
    if len(filled) > most:
        raise PartError("too-long", f"longer than {most:,} characters once it is filled")
    if part in ("subject", "preheader"):
        filled = filled.strip()
        if len(filled.splitlines()) > 1:
            raise PartError("line-break", "must be one line once it is filled")
    if part == "action_url":
        filled = filled.strip()
        if filled and (fault := action_url_fault(filled)):
            raise PartError("link", f"where it leads: {fault}")
    return filled


def _no_parts(content: Content, channel: Channel, locale: str | None) -> str:
    there = [each.value for each in Channel if chosen_locale(content, each, locale)]
    return f"it has no parts for the channel {channel.value}, only for {', '.join(there)}"
