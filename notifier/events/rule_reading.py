"""Reading rules as teams write them: JSON, with all that is wrong at once and where."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from enum import StrEnum
from typing import Any, TypeAlias, TypeVar

from notifier.audience.category import is_category_key
from notifier.audience.quiet_hours import WEEKDAYS
from notifier.content.template import is_template_name
from notifier.events.expressions import OF_DIGEST, OF_EVENT
from notifier.events.rule import (
    MAX_STEPS,
    Collect,
    Delay,
    First,
    Lasting,
    Limit,
    Moment,
    Rule,
    Send,
    Skip,
    Step,
    WallTime,
)
from notifier.events.step_order import order_flaws
from notifier.events.written import Path, RuleFlaw
from notifier.notification.model import Channel, JsonValue, Lane
from notifier.notification.origin import Condition
from notifier.wall_time import is_zone

_Value = TypeVar("_Value")
_Kind = TypeVar("_Kind", bound=StrEnum)

_TYPE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029*]{1,512}")
_MOST_TYPES = 20
_MOST_VARIABLES = 100
_MAX_NAME_CHARS = 100
_MAX_ITEMS = 100_000
_MAX_COUNT = 1_000_000
_MAX_SECONDS = 30 * 86_400
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"([1-9]\d{0,6})([smhdw])", re.ASCII)
_AT = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_STEPS = ("send", "delay", "digest", "unless", "throttle")
_RECIPIENT = "recipient"


_Fault: TypeAlias = Callable[[str, Collection[str]], str | None]


def read_rule(
    document: JsonValue, fault: _Fault = lambda _expression, _names: None
) -> Rule | Sequence[RuleFlaw]:
    """Read a rule, or say all that is wrong with it; `fault` looks its expressions over."""
    reading = _Reading(fault)
    rule = reading.rule(document)
    return reading.flaws or rule


@dataclass(slots=True)
class _Reading:
    """Notes what is wrong, and goes on with something in its place."""

    fault: _Fault
    flaws: list[RuleFlaw] = field(default_factory=list)
    names: Collection[str] = OF_EVENT
    """What expressions can read where it is."""

    def rule(self, document: JsonValue) -> Rule:
        given = self._object(document, (), needed=("on", "to", "steps"), others=_OTHERS)
        steps = [*self._steps(given.get("steps"), ("steps",))] if "steps" in given else []
        rule = Rule(
            on=self._type(given.get("on", "any"), ("on",)),
            to=self._expression(given.get("to", "id"), ("to",)),
            steps=[each for each in steps if each is not None],
            when=self._optional(given, "when", self._expression),
            key=self._optional(given, "key", self._expression),
            cancelled_by=self._types(given.get("cancelled_by", []), ("cancelled_by",)),
            variables=self._variables(given.get("variables", {}), ("variables",)),
            lane=self._member(Lane, given.get("lane", Lane.NORMAL), ("lane",)) or Lane.NORMAL,
            category=self._optional(given, "category", self._category),
        )
        if None not in steps and "steps" in given:
            self.flaws += order_flaws(rule)
        return rule

    def _steps(self, value: JsonValue, path: Path) -> Iterator[Step | None]:
        if not isinstance(value, list) or not 0 < len(value) <= MAX_STEPS:
            self._note(path, f"expected a list of 1 to {MAX_STEPS} steps")
            yield None
            return
        for index, each in enumerate(value):
            yield self._step(each, (*path, index))
            if isinstance(each, dict) and "digest" in each:
                self.names = OF_DIGEST
        self.names = OF_EVENT

    def _step(self, value: JsonValue, path: Path) -> Step | None:
        named = [name for name in _STEPS if isinstance(value, dict) and name in value]
        if len(named) != 1:
            self._note(path, f"expected an object with one of {', '.join(_STEPS)}")
            return None
        read: Callable[[Any, Path], Step | None] = getattr(self, f"_{named[0]}")
        return read(value, path)

    def _send(self, value: dict[str, JsonValue], path: Path) -> Step | None:
        self._object(value, path, needed=("send", "template"), others=_OF_SENDS)
        template = value.get("template", "any")
        if not isinstance(template, str) or not is_template_name(template):
            self._note((*path, "template"), "expected the name of a template")
        expires = self._optional(value, "expires_in", self._span, path)
        if not isinstance(sensitive := value.get("sensitive", False), bool):
            self._note((*path, "sensitive"), "expected true or false")
        return Send(
            channels=self._channels(value["send"], (*path, "send")),
            template=str(template),
            variables=self._variables(value.get("variables", {}), (*path, "variables")),
            expires_in_s=expires.seconds if expires else None,
            is_sensitive=sensitive is True,
        )

    def _delay(self, value: dict[str, JsonValue], path: Path) -> Step | None:
        self._object(value, path, needed=("delay",))
        asked, path = value["delay"], (*path, "delay")
        if isinstance(asked, dict) and "until" in asked:
            self._object(asked, path, needed=("until",))
            if isinstance(asked["until"], str):
                return Delay(Moment(self._expression(asked["until"], (*path, "until"))))
            return Delay(self._wall_time(asked["until"], (*path, "until")))
        return Delay(self._span(asked, path))

    def _digest(self, value: dict[str, JsonValue], path: Path) -> Step | None:
        self._object(value, path, needed=("digest",))
        path = (*path, "digest")
        asked = self._object(value["digest"], path, others=_OF_DIGESTS)
        if ("window" in asked) == ("until" in asked):
            self._note(path, "expected window, such as 1h, or until, such as {at: 09:00}")
            return None
        until: Lasting | WallTime
        if "window" in asked:
            until = self._span(asked["window"], (*path, "window"))
        else:
            until = self._wall_time(asked["until"], (*path, "until"))
        most = asked.get("max_items")
        if most is not None:
            most = self._count(most, (*path, "max_items"), _MAX_ITEMS, least=2)
        first = self._member(First, asked.get("first", First.WAIT), (*path, "first"))
        key = self._optional(asked, "key", self._expression, path)
        return Collect(key=key, until=until, max_items=most, first=first or First.WAIT)

    def _unless(self, value: dict[str, JsonValue], path: Path) -> Step | None:
        self._object(value, path, needed=("unless",))
        asked, path = value["unless"], (*path, "unless")
        if isinstance(asked, dict):
            self._object(asked, path, needed=("event",))
            return Skip(event=self._type(asked.get("event", "any"), (*path, "event")))
        condition = self._member(Condition, asked, path)
        return Skip(condition) if condition else None

    def _throttle(self, value: dict[str, JsonValue], path: Path) -> Step | None:
        self._object(value, path, needed=("throttle",))
        path = (*path, "throttle")
        asked = self._object(value["throttle"], path, needed=("count", "per"), others=("key",))
        if not {"count", "per"} <= asked.keys():
            return None
        return Limit(
            count=self._count(asked["count"], (*path, "count"), _MAX_COUNT),
            per_s=self._span(asked["per"], (*path, "per")).seconds,
            key=self._optional(asked, "key", self._expression, path),
        )

    def _object(
        self,
        value: JsonValue,
        path: Path,
        *,
        needed: Sequence[str] = (),
        others: Sequence[str] = (),
    ) -> Mapping[str, JsonValue]:
        if not isinstance(value, dict):
            self._note(path, "expected an object")
            return {}
        for name in value:
            if name not in needed and name not in others:
                known = ", ".join((*needed, *others))
                self._note((*path, name[:_MAX_NAME_CHARS]), f"unknown field; there are {known}")
        for name in needed:
            if name not in value:
                self._note((*path, name), "this field is required")
        return value

    def _optional(
        self,
        given: Mapping[str, JsonValue],
        name: str,
        read: Callable[[JsonValue, Path], _Value],
        path: Path = (),
    ) -> _Value | None:
        value = given.get(name)
        return None if value is None else read(value, (*path, name))

    def _expression(self, value: JsonValue, path: Path) -> str:
        if not isinstance(value, str):
            self._note(path, "expected an expression, such as data.user_id")
            return ""
        if words := self.fault(value, self.names):
            self._note(path, words)
        return value

    def _variables(self, value: JsonValue, path: Path) -> Mapping[str, str]:
        if not isinstance(value, dict) or len(value) > _MOST_VARIABLES:
            self._note(path, f"expected an object of at most {_MOST_VARIABLES} expressions")
            return {}
        return {name: self._expression(each, (*path, name)) for name, each in value.items()}

    def _category(self, value: JsonValue, path: Path) -> str:
        if not isinstance(value, str) or not is_category_key(value):
            self._note(path, "expected the key of a category, such as shipping")
            return ""
        return value

    def _type(self, value: JsonValue, path: Path) -> str:
        stem = value.removesuffix(".*") if isinstance(value, str) else ""
        is_one = _TYPE.fullmatch(stem) and stem == stem.strip()
        if not isinstance(value, str) or not is_one:
            self._note(path, "expected an event's type, such as order.shipped or order.*")
            return ""
        return value

    def _types(self, value: JsonValue, path: Path) -> Sequence[str]:
        if not isinstance(value, list) or len(value) > _MOST_TYPES:
            self._note(path, f"expected a list of at most {_MOST_TYPES} types of events")
            return ()
        return [self._type(each, (*path, index)) for index, each in enumerate(value)]

    def _channels(self, value: JsonValue, path: Path) -> Sequence[Channel]:
        if not isinstance(value, list) or not value:
            self._note(path, f"expected a list of channels: {', '.join(Channel)}")
            return ()
        found = [self._member(Channel, each, (*path, at)) for at, each in enumerate(value)]
        known = [each for each in found if each is not None]
        if len(set(known)) < len(known):
            self._note(path, "names a channel twice")
        return known

    def _member(self, kind: type[_Kind], value: JsonValue, path: Path) -> _Kind | None:
        known = {each.value: each for each in kind}
        if isinstance(value, str) and value in known:
            return known[value]
        self._note(path, f"expected {' or '.join(known)}")
        return None

    def _span(self, value: JsonValue, path: Path) -> Lasting:
        match = _SPAN.fullmatch(value) if isinstance(value, str) else None
        seconds = int(match[1]) * _UNITS[match[2]] if match else 0
        if not 0 < seconds <= _MAX_SECONDS:
            self._note(path, "expected a time such as 30s, 10m, 2h, 1d or 1w; 30d at most")
        return Lasting(seconds)

    def _wall_time(self, value: JsonValue, path: Path) -> WallTime:
        given = self._object(value, path, needed=("at",), others=("on", "zone"))
        at, zone = given.get("at"), given.get("zone", _RECIPIENT)
        if not isinstance(at, str) or not _AT.fullmatch(at):
            self._note((*path, "at"), "expected a time of the day, such as 09:00")
            at = "00:00"
        if zone != _RECIPIENT and not (isinstance(zone, str) and is_zone(zone)):
            self._note((*path, "zone"), "expected recipient, or a zone such as Europe/Vienna")
        named = None if zone == _RECIPIENT else str(zone)
        days = self._weekdays(given.get("on", [*WEEKDAYS]), (*path, "on"))
        return WallTime(time.fromisoformat(at), named, days)

    def _weekdays(self, value: JsonValue, path: Path) -> frozenset[str]:
        days = [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
        if not days or value != days or not {*days} <= {*WEEKDAYS}:
            self._note(path, f"expected a list of {', '.join(WEEKDAYS)}")
            return frozenset(WEEKDAYS)
        return frozenset(days)

    def _count(self, value: JsonValue, path: Path, most: int, least: int = 1) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self._note(path, f"expected an integer from {least} to {most}")
            return least
        return value

    def _note(self, path: Path, words: str) -> None:
        self.flaws.append(RuleFlaw(path, words))


_OTHERS = ("when", "key", "cancelled_by", "variables", "lane", "category")
_OF_SENDS = ("variables", "expires_in", "sensitive")
_OF_DIGESTS = ("key", "window", "until", "max_items", "first")
