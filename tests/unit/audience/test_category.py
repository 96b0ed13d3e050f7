"""Categories: what they are called, what must be left to people, and what caps count in."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from notifier.audience.category import (
    Cap,
    Categories,
    Category,
    Declared,
    Kind,
    Span,
    is_category_key,
)
from notifier.notification.model import Channel
from tests.unit.test_kept import MovedClock

NEWS = Category(service="orders", key="news", titles={"de": "Neues", "de-AT": "Neuigkeiten"})


@pytest.mark.parametrize(
    ("titles", "locale", "title"),
    [
        ({"de": "Neues", "de-AT": "Neuigkeiten"}, "de-AT", "Neuigkeiten"),
        ({"de": "Neues"}, "de-Latn-AT", "Neues"),
        ({"de": "Neues", "en": "News"}, "fr", "News"),
        ({"pl": "Nowe", "de": "Neues"}, None, "Neues"),
        ({}, "de", "news"),
    ],
)
def test_it_is_called_by_the_closest_language(
    titles: dict[str, str], locale: str | None, title: str
) -> None:
    assert Category(service="orders", key="news", titles=titles).title(locale) == title


@pytest.mark.parametrize("kind", [Kind.SUBSCRIBED, Kind.MARKETING])
def test_what_nobody_needs_can_always_be_switched_off(kind: Kind) -> None:
    with pytest.raises(ValueError, match="always switch off"):
        Category(service="orders", key="news", kind=kind, can_switch_off=False)


def test_what_cannot_be_switched_off_is_on_everywhere_and_has_no_cap() -> None:
    with pytest.raises(ValueError, match="on everywhere"):
        Category(service="orders", key="otp", can_switch_off=False, defaults={Channel.SMS: False})
    with pytest.raises(ValueError, match="no cap"):
        Category(service="orders", key="otp", can_switch_off=False, cap=Cap(1, Span.DAY))


def test_what_no_default_names_is_on() -> None:
    category = Category(service="orders", key="news", defaults={Channel.SMS: False})

    assert category.is_on_by_default(Channel.EMAIL)
    assert not category.is_on_by_default(Channel.SMS)


@pytest.mark.parametrize(
    ("key", "is_one"), [("news.weekly", True), ("*", False), ("News", False), ("a" * 65, False)]
)
def test_a_key_is_plain(key: str, is_one: bool) -> None:  # noqa: FBT001  a case of a table
    assert is_category_key(key) == is_one


@pytest.mark.parametrize(
    ("span", "now", "began"),
    [
        (Span.HOUR, "2026-07-01T22:59:59+02:00", "2026-07-01T22:00+02:00"),
        (Span.DAY, "2026-07-01T00:30+02:00", "2026-07-01T00:00+02:00"),
        (Span.WEEK, "2026-07-05T23:59+02:00", "2026-06-29T00:00+02:00"),
        (Span.WEEK, "2026-03-29T12:00+02:00", "2026-03-23T00:00+01:00"),
        # An hour that comes twice is one.
        (Span.HOUR, "2026-10-25T02:30+01:00", "2026-10-25T02:00+02:00"),
    ],
)
def test_spans_are_those_of_the_recipients_clocks(span: Span, now: str, began: str) -> None:
    found = span.began(datetime.fromisoformat(now), ZoneInfo("Europe/Vienna"))

    assert found == datetime.fromisoformat(began)


class Counting:
    """Declares one category, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def declared(self, service: str) -> Declared:  # noqa: ARG002  a port's signature
        self.asked += 1
        return Declared({"news": NEWS})


async def test_what_is_declared_is_looked_up_every_two_seconds_or_when_it_is_changed() -> None:
    store, clock = Counting(), MovedClock()
    categories = Categories(store, clock)

    await categories.of("orders")
    await categories.of("orders")
    assert store.asked == 1

    categories.forget()
    await categories.of("orders")
    assert store.asked == 2

    clock.passed_s += 2.1
    assert (await categories.of("orders")).by_key == {"news": NEWS}
    assert store.asked == 3


@pytest.mark.parametrize(
    "now", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Apia", "America/New_York"])
@pytest.mark.parametrize("span", Span)
def test_a_span_begins_at_the_ends_of_all_time_too(now: datetime, zone: str, span: Span) -> None:
    assert span.began(now, ZoneInfo(zone)) <= now
