"""Reading the form of a schedule: what was filled in, as a wish, or what is wrong with it."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from notifier.api.console.forms import Form
from notifier.intake.draft import Flaw
from notifier.notification.model import Channel, JsonValue, Lane
from notifier.schedules.planning import Wish, when_of
from notifier.schedules.schedule import CatchUp, Timing, To, ToRecipient, ToTopic, ToUser
from notifier.schedules.slot import RECIPIENT, When
from notifier.wall_time import instant, is_zone

TO = ("user_id", "recipient", "topic")
"""Whom it may be to, as the choices of the form are named."""
_MINUTES = re.compile(r"\d{1,6}(\.\d{1,4})?", re.ASCII)
_OBJECT = 'expected a JSON object, such as {"city": "Vienna"}'
_FIELDS = frozenset(
    {
        "service", "name", "template", "to", "type", "every", "at", "on", "cron", "zone",
        "variables", "priority", "starts_at", "ends_at", "skip_dates", "catch_up",
        "catch_up_within",
    }
)  # fmt: skip
_RENAMED = {"lane": "priority", "catch_up_within_s": "catch_up_within", "when": "every"}
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Flaws:
    """What is wrong with a form, by its fields; an empty name: with none of them alone."""

    by_field: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, flaws: Sequence[Flaw]) -> "Flaws":
        """Sort flaws by the fields that people see."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for flaw in flaws:
            field, words = _place(flaw)
            if words not in found[field]:
                found[field].append(words)
        # A page that asks for a field must not make one.
        return cls(dict(found))


def wish_of_form(form: Form) -> Wish | list[Flaw]:
    """Return what a form asks for, or all that cannot be read of it."""
    reader = _Reader(form)
    for needed in ("name", "template", "to"):
        reader.needs(needed)
    when, zone, clocks = reader.when(), form.text("zone"), reader.clocks()
    kind = form.text("to_kind")
    wish: dict[str, Any] = {
        "name": form.text("name"),
        "zone": zone,
        "template": form.text("template"),
        **({kind: form.text("to")} if kind in TO else {}),
        "channel": reader.choice("type", Channel, None),
        "variables": reader.variables(),
        "lane": reader.choice("priority", Lane, Lane.BULK),
        "starts_at": reader.wall("starts_at", clocks),
        "ends_at": reader.wall("ends_at", clocks),
        "skip_dates": frozenset(reader.dates("skip_dates")),
        "catch_up": reader.choice("catch_up", CatchUp, CatchUp.LAST),
        "catch_up_within_s": reader.seconds("catch_up_within"),
    }
    if when is None or reader.flaws:
        return reader.flaws
    return Wish(when=when, **wish)


class _Reader:
    """Reads fields, and keeps what is wrong with them."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self.flaws: list[Flaw] = []

    def when(self) -> When | None:
        """Return when it is due."""
        every = self._form.text("every")
        if every == "cron":
            found = when_of(cron=self._form.text("cron"))
        else:
            on = self._form.texts("on") if every == "week" else None
            found = when_of(every=every, on=on, at=self._form.text("at"))
        if isinstance(found, list):
            self.flaws += found
            return None
        return found

    def clocks(self) -> tzinfo:
        """Return by what clocks times of the form are meant."""
        zone = self._form.text("zone")
        if is_zone(zone):
            return ZoneInfo(zone)
        if zone != RECIPIENT:
            self._wrong("zone", "expected a name such as Europe/Vienna, or recipient")
        return UTC

    def needs(self, field: str) -> None:
        """Keep that a field is empty, if it is."""
        if not self._form.text(field):
            self._wrong(field, "this is needed")

    def variables(self) -> Mapping[str, JsonValue]:
        """Return what the template is filled with."""
        text = self._form.text("variables")
        try:
            value = json.loads(text) if text else {}
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            self._wrong("variables", _OBJECT)
            return {}
        return value

    def choice(self, field: str, kinds: type[Read], otherwise: Read | None) -> Read | None:
        """Return what was chosen, `otherwise` where nothing was."""
        text = self._form.text(field)
        try:
            return kinds(text) if text else otherwise  # type: ignore[call-arg]  # of an enum
        except ValueError:
            self._wrong(field, "expected one of those that are offered")
            return otherwise

    def wall(self, field: str, clocks: tzinfo) -> datetime | None:
        """Return when clocks first show a time."""
        text = self._form.text(field)
        if not text:
            return None
        try:
            return instant(datetime.fromisoformat(text).replace(tzinfo=None), clocks)
        except (ValueError, OverflowError):
            self._wrong(field, "expected a date and a time, such as 2027-01-31T09:30")
            return None

    def dates(self, field: str) -> Iterator[date]:
        """Return the days that a text names."""
        for word in self._form.text(field).replace(",", " ").split():
            try:
                yield date.fromisoformat(word)
            except ValueError:
                self._wrong(field, "expected dates such as 2027-12-24, one a line")
                return

    def seconds(self, field: str) -> int:
        """Return how many seconds so many minutes are."""
        text = self._form.text(field)
        if _MINUTES.fullmatch(text):
            return round(float(text) * 60)
        self._wrong(field, "expected a number of minutes")
        return 0

    def _wrong(self, field: str, words: str) -> None:
        self.flaws.append(Flaw(field, words))


def timing_of_form(form: Form) -> Timing | list[Flaw]:
    """Return when it is to be due, whatever else is in the form."""
    reader = _Reader(form)
    when, zone, clocks = reader.when(), form.text("zone"), reader.clocks()
    starts_at, ends_at = reader.wall("starts_at", clocks), reader.wall("ends_at", clocks)
    skip_dates = frozenset(reader.dates("skip_dates"))
    if when is None or reader.flaws:
        return reader.flaws
    return Timing(when=when, zone=zone, starts_at=starts_at, ends_at=ends_at, skip_dates=skip_dates)


def whom_of_form(form: Form) -> To:
    """Return whose clocks it may go by; over which channel does not matter."""
    to = form.text("to")
    match form.text("to_kind"):
        case "topic":
            return ToTopic(to, Channel.EMAIL)
        case "recipient":
            return ToRecipient(to, Channel.EMAIL)
        case _:
            return ToUser(to, Channel.EMAIL)


def _place(flaw: Flaw) -> tuple[str, str]:
    """Return the field of the form that a flaw is about, and what to say there."""
    head = str(flaw.path[0]) if flaw.path else ""
    if flaw.field in ("when", "to") and head in _FIELDS:
        return head, flaw.words
    if flaw.field == "variables" and flaw.path:
        return "variables", f"{'.'.join(map(str, flaw.path))}: {flaw.words}"
    field = _RENAMED.get(flaw.field, flaw.field)
    return (field, flaw.words) if field in _FIELDS else ("", f"{flaw.field}: {flaw.words}")
