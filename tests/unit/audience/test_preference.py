"""One decision: checked against a model of twenty lines over all that can come together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from notifier.audience.category import Cap, Category, Kind, Span
from notifier.audience.choices import ANY, Choices
from notifier.audience.person import Person
from notifier.audience.preference import (
    Decision,
    Defer,
    Occasion,
    Send,
    Suppress,
    cap_use,
    consulted,
    decide,
    over_cap,
)
from notifier.audience.quiet_hours import QuietHours
from notifier.notification.model import Channel, Lane
from notifier.notification.outcomes import SuppressionReason

NOW = datetime(2026, 7, 1, 21, 30, tzinfo=UTC)
"""Half past eleven at night in Vienna."""
NIGHT = QuietHours(time(22), time(7))
NOON = QuietHours(time(12), time(13))
MORNING = datetime(2026, 7, 2, 5, 0, tzinfo=UTC)
HOURS = [(None, None), (None, NIGHT), (NIGHT, None), (NIGHT, NOON), (NOON, NIGHT)]
"""Of the person, and of the service."""
CATEGORIES = {
    "none": None,
    "undeclared": None,
    "on": Category(service="orders", key="news", kind=Kind.MARKETING),
    "off": Category(service="orders", key="news", defaults=dict.fromkeys(Channel, False)),
    "required": Category(service="orders", key="news", can_switch_off=False),
}


def a_person(choices: Choices, quiet_hours: QuietHours | None, zone: str | None) -> Person:
    return Person(
        service="orders",
        user_id="u-7",
        locale=None,
        time_zone=zone,
        attributes={},
        addresses=(),
        choices=choices,
        quiet_hours=quiet_hours,
        etag="1",
        created_at=NOW,
        updated_at=NOW,
    )


@dataclass(frozen=True)
class Case:
    category: str
    suppression: SuppressionReason | None
    channel: Channel
    lane: Lane
    made: Mapping[tuple[str, str], bool]
    own: QuietHours | None
    services: QuietHours | None
    is_known: bool = True

    @property
    def occasion(self) -> Occasion:
        return Occasion(
            channel=self.channel,
            lane=self.lane,
            category=CATEGORIES[self.category],
            suppression=self.suppression,
            quiet_hours=self.services,
            key=None if self.category == "none" else "news",
        )

    @property
    def person(self) -> Person | None:
        if not self.is_known:
            return None
        return a_person(Choices(self.made), self.own, "Europe/Vienna")


def all_cases() -> Iterator[Case]:
    reasons = [None, *SuppressionReason]
    lanes = [Lane.HIGH, Lane.BULK]
    for category, reason, channel, lane in product(CATEGORIES, reasons, Channel, lanes):
        yield Case(category, reason, channel, lane, {}, None, NIGHT, is_known=False)
        places = [(c, ch) for c in ("news", ANY) for ch in (channel.value, ANY)]
        for says in product([None, True, False], repeat=4):
            made = {p: on for p, on in zip(places, says, strict=True) if on is not None}
            for own, services in HOURS:
                yield Case(category, reason, channel, lane, made, own, services)


def modelled(case: Case) -> str:
    """Say it again, from the loosest to the closest."""
    can_choose = case.category in ("on", "off")
    suffers = {"hard_bounce", "refused", "manual"}
    if case.suppression and (
        case.category != "required" or case.channel == "sms" or case.suppression in suffers
    ):
        return "suppress by suppression"
    if off := switched_off_before(case):
        return f"suppress by choice {off[0]}/{off[1]}"
    if not can_choose:
        return "send by " + ("required" if case.category == "required" else "no_category")
    on, by = case.category == "on", "category_default"
    for place in [("*", "*"), ("*", case.channel), ("news", "*"), ("news", case.channel)]:
        if case.is_known and place in case.made:
            on, by = case.made[place], f"choice {place[0]}/{place[1]}"
    if not on:
        return f"suppress by {by}"
    counts = case.own if case.own is not None else case.services
    if case.is_known and counts is NIGHT and case.lane != "high":
        return f"defer by quiet_hours of {'recipient' if case.own else 'service'}"
    return f"send by {by}"


def switched_off_before(case: Case) -> tuple[str, str] | None:
    """Return the choice about a category that is gone, where that is off."""
    if case.category != "undeclared" or not case.is_known:
        return None
    places = [("news", case.channel.value), ("news", ANY)]
    closest = next((place for place in places if place in case.made), None)
    return closest if closest and not case.made[closest] else None


def told(decision: Decision) -> str:
    why = decision.why
    kind = {Send: "send", Suppress: "suppress", Defer: "defer"}[type(decision)]
    row = why.row.partition("/")[2]
    detail = {"choice": f" {row}", "quiet_hours": f" of {row}"}.get(why.code, "")
    return f"{kind} by {why.code}{detail}"


def test_it_decides_as_the_model_does_whatever_comes_together() -> None:
    for case in all_cases():
        decision = decide(case.occasion, case.person, NOW)

        assert told(decision) == modelled(case), case
        if isinstance(decision, Defer):
            assert decision.until == MORNING


def test_the_row_that_decided_is_one_that_was_looked_at_and_what_stops_is_the_last() -> None:
    for case in all_cases():
        decision = decide(case.occasion, case.person, NOW)
        rows = list(consulted(case.occasion, case.person, NOW))

        said = {each.row: each.says for each in rows}
        assert len(said) == len(rows)
        assert decision.why.row in said, case
        assert isinstance(decision, Send) or rows[-1].row == decision.why.row, case
        assert decision.why.code == "no_category" or said[decision.why.row] is not None, case


def test_rows_are_looked_at_from_the_closest_on() -> None:
    case = Case("on", None, Channel.EMAIL, Lane.BULK, {(ANY, "email"): True}, None, NIGHT)

    rows = list(consulted(case.occasion, case.person, NOW))

    assert [(each.row, each.says) for each in rows] == [
        ("suppressions/email", None),
        ("categories/news", "can be switched off"),
        ("choices/news/email", None),
        ("choices/news/*", None),
        ("choices/*/email", "on"),
        ("quiet_hours/service", "until 2026-07-02 05:00 UTC"),
    ]


@pytest.mark.parametrize("default", [UTC, ZoneInfo("Europe/Vienna")])
@pytest.mark.parametrize("zone", [None, "Mars/Olympus"])
def test_who_has_no_zone_that_is_known_has_hours_of_the_default(
    zone: str | None, default: tzinfo
) -> None:
    occasion = Occasion(
        channel=Channel.EMAIL,
        lane=Lane.BULK,
        category=Category(service="orders", key="news", cap=Cap(3, Span.DAY)),
        default_zone=default,
    )
    person = a_person(Choices(), QuietHours(time(21), time(0)), zone)

    decision = decide(occasion, person, NOW)

    assert isinstance(decision, Defer)
    assert decision.until == datetime(2026, 7, 2, tzinfo=default)
    use = cap_use(occasion, person, NOW)
    assert use is not None
    assert use.slot == datetime(2026, 7, 1, tzinfo=default)


def test_a_cap_counts_in_the_recipients_own_day() -> None:
    capped = Category(service="orders", key="news", cap=Cap(3, Span.DAY))
    occasion = Occasion(channel=Channel.SMS, lane=Lane.NORMAL, category=capped)
    person = a_person(Choices(), None, "Europe/Vienna")

    use = cap_use(occasion, person, NOW)

    assert use is not None
    assert (use.service, use.user_id, use.cap, use.limit) == ("orders", "u-7", "news/sms", 3)
    assert use.slot == datetime(2026, 6, 30, 22, 0, tzinfo=UTC)
    assert over_cap(use).why.code == "cap"
    assert over_cap(use).why.words == "its recipient gets 3 of news/sms in one day, and had them"


@pytest.mark.parametrize(
    ("category", "lane"),
    [
        (None, Lane.BULK),
        (Category(service="orders", key="news"), Lane.BULK),
        (Category(service="orders", key="news", cap=Cap(3, Span.DAY)), Lane.HIGH),
    ],
)
def test_what_is_urgent_or_has_no_cap_uses_none(category: Category | None, lane: Lane) -> None:
    occasion = Occasion(channel=Channel.SMS, lane=lane, category=category)

    assert cap_use(occasion, a_person(Choices(), None, None), NOW) is None
