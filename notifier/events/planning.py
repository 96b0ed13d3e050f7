"""What a rule's steps come to for one person: drafts, and what is to be known of each."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import assert_never
from zoneinfo import ZoneInfo

from notifier.audience.quiet_hours import WEEKDAYS
from notifier.events.event import DigestItem, Throttle
from notifier.events.expressions import Context, Expressions, Missing, Unfit
from notifier.events.rule import (
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
from notifier.events.whom import To
from notifier.intake.draft import Draft
from notifier.notification.model import Channel, JsonValue
from notifier.notification.origin import Condition
from notifier.wall_time import instant

MOST_SHOWN = 50
_DAY = timedelta(days=1)
_DAYS_AHEAD = 9
"""A week, and a day that is past or whose time clocks skip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDraft:
    """A notification to be made."""

    name: str
    """Of the step and its channel: no other of the plan has it."""
    draft: Draft
    unless: tuple[int, Condition] | None = None
    """Which draft of the plan, counted from 0, it is kept back by."""
    unless_event: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be made of an event, or of a digest, for one person."""

    drafts: Sequence[PlannedDraft] = ()
    item: DigestItem | None = None
    throttle: Throttle | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What a plan is made of: an event, or a digest, as expressions read it."""

    context: Context
    variables: Mapping[str, JsonValue]
    """What templates get, but for a step's own."""
    now: datetime
    zone: tzinfo = UTC
    """The recipient's."""
    traceparent: str | None = None


class PlanError(Exception):
    """A step cannot be planned, in words that quote no value."""

    def __init__(self, where: str, why: Missing | Unfit) -> None:
        words = f"no value for {why.name}" if isinstance(why, Missing) else why.words
        super().__init__(f"{where}: {words}")
        self.is_missing = isinstance(why, Missing)


@dataclass(frozen=True, slots=True)
class StepPlanner:
    """Works out a rule's steps."""

    expressions: Expressions

    def value(self, where: str, expression: str, context: Context) -> JsonValue:
        """Return what an expression of a rule comes to.

        Raises:
            PlanError: it comes to nothing.
        """
        found = self.expressions.value(expression, context)
        if isinstance(found, Missing | Unfit):
            raise PlanError(where, found)
        return found

    def text(self, where: str, expression: str, context: Context) -> str:
        """Return a key, which a text, a number or true and false can be. Raises as `value`."""
        found = self.value(where, expression, context)
        if isinstance(found, bool | int | float):
            found = str(found).lower()
        if not isinstance(found, str) or not 0 < len(found) <= _MAX_KEY_CHARS:
            words = f"expected a text of 1 to {_MAX_KEY_CHARS} characters, or a number"
            raise PlanError(where, Unfit(words))
        return found

    def variables(
        self, where: str, expressions: Mapping[str, str], context: Context
    ) -> Mapping[str, JsonValue]:
        """Return what each comes to. Raises as `value`."""
        return {
            name: self.value(f"{where}/{name}", each, context) for name, each in expressions.items()
        }

    def plan(self, rule: Rule, to: To, occasion: Occasion) -> Plan:
        """Plan all of a rule for somebody. Raises as `value`."""
        made = _Making(self, rule, to, occasion)
        for index, step in enumerate(rule.steps):
            if isinstance(step, Collect):
                return self._collecting(rule, to, occasion, made, index)
            made.add(index, step)
        return made.plan()

    def behind_digest(self, rule: Rule, to: To, occasion: Occasion) -> Plan:
        """Plan what follows a rule's digest. Raises as `value`."""
        made = _Making(self, rule, to, occasion)
        for index in range(collecting(rule) + 1, len(rule.steps)):
            made.add(index, rule.steps[index])
        return made.plan()

    def of_items(
        self, items: Sequence[JsonValue], count: int, occasion: Occasion
    ) -> Occasion | Unfit:
        """Return what is made of a digest: its first items, and how many they are.

        As many of them as there is room for: a template takes no more.
        """
        seen: Mapping[str, JsonValue] = {"items": [*_fitting(items)], "count": count}
        context = self.expressions.context(seen)
        if isinstance(context, Unfit):
            return context
        return replace(occasion, context=context, variables=seen)

    def _collecting(
        self, rule: Rule, to: To, occasion: Occasion, made: "_Making", index: int
    ) -> Plan:
        step = rule.steps[index]
        assert isinstance(step, Collect)  # noqa: S101  it is asked for so
        key = self.text(f"steps/{index}/digest/key", step.key, occasion.context) if step.key else ""
        data: JsonValue = dict(occasion.variables)
        sends_first = step.first is First.SEND
        item = DigestItem(
            key=key,
            data=data,
            due_at=until(step.until, occasion),
            max_items=step.max_items,
            sends_first=sends_first,
        )
        if not sends_first:
            return replace(made.plan(), item=item)
        alone = self.of_items([data], 1, occasion)
        if isinstance(alone, Unfit):
            raise PlanError(f"steps/{index}/digest", alone)
        sent = self.behind_digest(rule, to, alone)
        return replace(made.plan(), drafts=sent.drafts, item=item)


@dataclass(slots=True)
class _Making:
    """A plan on its way through the steps."""

    planner: StepPlanner
    rule: Rule
    to: To
    occasion: Occasion
    drafts: list[PlannedDraft] = field(default_factory=list)
    throttle: Throttle | None = None
    at: datetime | None = None
    sent_by: dict[Channel, int] = field(default_factory=dict)
    """Which drafts the last send made."""
    unless: tuple[int, Condition] | None = None
    unless_event: str | None = None

    def plan(self) -> Plan:
        return Plan(drafts=self.drafts, throttle=self.throttle)

    def add(self, index: int, step: Step) -> None:
        where = f"steps/{index}"
        match step:
            case Send():
                self._send(where, step)
            case Delay():
                self.at = self._later(where, step)
            case Limit():
                self.throttle = self._limit(where, step)
            case Skip(condition=Condition() as condition):
                self.unless = (self._last(condition), condition)
            case Skip():
                self.unless_event = step.event
            case Collect():
                pass
            case _:
                assert_never(step)

    def _send(self, where: str, step: Send) -> None:
        own = self.planner.variables(f"{where}/variables", step.variables, self.occasion.context)
        variables = {**self.occasion.variables, **own}
        self.sent_by = {}
        for channel in step.channels:
            self.sent_by[channel] = len(self.drafts)
            self.drafts.append(
                PlannedDraft(
                    name=f"{where}/{channel}",
                    draft=self._draft(channel, step, variables),
                    unless=self.unless,
                    unless_event=self.unless_event,
                )
            )

    def _draft(self, channel: Channel, step: Send, variables: Mapping[str, JsonValue]) -> Draft:
        return Draft(
            channel=channel,
            user_id=self.to.user_id,
            recipient=self.to.recipient,
            template=step.ref,
            variables=variables,
            lane=self.rule.lane,
            counts_as=self.rule.category,
            send_at=self.at,
            expires_at=self._expires_at(step),
            sensitive=step.is_sensitive,
        )

    def _expires_at(self, step: Send) -> datetime | None:
        if step.expires_in_s is None:
            return None
        return (self.at or self.occasion.now) + timedelta(seconds=step.expires_in_s)

    def _later(self, where: str, step: Delay) -> datetime:
        begun = replace(self.occasion, now=self.at or self.occasion.now)
        if not isinstance(step.until, Moment):
            return until(step.until, begun)
        where = f"{where}/delay/until"
        found = self.planner.value(where, step.until.expression, self.occasion.context)
        moment = _read_time(found)
        if moment is None:
            raise PlanError(where, Unfit("expected a time such as 2026-03-01T18:30:00Z"))
        return max(begun.now, moment)

    def _limit(self, where: str, step: Limit) -> Throttle:
        key = ""
        if step.key:
            key = self.planner.text(f"{where}/throttle/key", step.key, self.occasion.context)
        return Throttle(count=step.count, per_s=step.per_s, key=key, spared=len(self.drafts))

    def _last(self, condition: Condition) -> int:
        if condition is Condition.READ:
            return self.sent_by[Channel.IN_APP]
        return next(iter(self.sent_by.values()))


_MAX_KEY_CHARS = 200
_MAX_SHOWN_CHARS = 80_000
"""Of a digest's items; what else a template is given has some room beside them."""


def collecting(rule: Rule) -> int:
    """Return which step of a rule is its digest; one behind the last if none is."""
    places = (at for at, each in enumerate(rule.steps) if isinstance(each, Collect))
    return next(places, len(rule.steps))


def needs_zone(rule: Rule) -> bool:
    """Whether a rule goes by the recipient's clocks."""
    waits = [each.until for each in rule.steps if isinstance(each, Delay | Collect)]
    return any(isinstance(each, WallTime) and each.zone is None for each in waits)


def until(wait: Lasting | WallTime, occasion: Occasion) -> datetime:
    """Return, in UTC, when a wait ends that begins now."""
    if isinstance(wait, Lasting):
        return occasion.now + timedelta(seconds=wait.seconds)
    zone = ZoneInfo(wait.zone) if wait.zone else occasion.zone
    today = datetime.combine(occasion.now.astimezone(zone).date(), wait.at)
    days = (today + ahead * _DAY for ahead in range(_DAYS_AHEAD))
    times = (instant(day, zone) for day in days if WEEKDAYS[day.weekday()] in wait.weekdays)
    return next(at for at in times if at > occasion.now)


def _fitting(items: Sequence[JsonValue]) -> Iterator[JsonValue]:
    left = _MAX_SHOWN_CHARS
    for each in items[:MOST_SHOWN]:
        left -= len(json.dumps(each))
        if left < 0:
            return
        yield each


def _read_time(value: JsonValue) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
