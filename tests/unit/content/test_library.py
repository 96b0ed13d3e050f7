from datetime import UTC, datetime

from notifier.content.library import Archived, Unpublished
from notifier.content.template import TemplateRef, TemplateVersion
from tests.templates import BOOKED, KeptTemplates

NAMED = TemplateRef("booking.confirmed")
FRESH_S = 2.0


class MovedClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.passed_s = 1_000.0

    def now(self) -> datetime:
        return datetime(2026, 11, 26, tzinfo=UTC)

    def monotonic_s(self) -> float:
        return self.passed_s


def number_of(found: object) -> int:
    assert isinstance(found, TemplateVersion)
    return found.number


async def test_what_is_published_elsewhere_is_found_two_seconds_later() -> None:
    kept, clock = KeptTemplates(), MovedClock()
    library = kept.library(clock)
    kept.publish(NAMED.name, BOOKED)
    assert number_of(await library.find("orders", NAMED)) == 1
    kept.publish(NAMED.name, BOOKED)

    clock.passed_s += FRESH_S
    assert number_of(await library.find("orders", NAMED)) == 1
    assert kept.looks == 1
    clock.passed_s += 0.01
    assert number_of(await library.find("orders", NAMED)) == 2


async def test_what_is_published_here_is_found_at_once() -> None:
    kept = KeptTemplates()
    library = kept.library(MovedClock())
    kept.publish(NAMED.name, BOOKED)
    await library.find("orders", NAMED)
    kept.publish(NAMED.name, BOOKED)

    library.forget("orders", NAMED.name)

    assert number_of(await library.find("orders", NAMED)) == 2


async def test_an_archived_template_is_not_found_any_more_two_seconds_later() -> None:
    kept, clock = KeptTemplates(), MovedClock()
    library = kept.library(clock)
    kept.publish(NAMED.name, BOOKED)
    await library.find("orders", NAMED)
    kept.archived.add(NAMED.name)

    clock.passed_s += FRESH_S + 0.01

    assert await library.find("orders", NAMED) == Archived()


async def test_a_version_that_was_found_is_never_looked_for_again() -> None:
    kept, clock = KeptTemplates(), MovedClock()
    library = kept.library(clock)
    version = kept.publish(NAMED.name, BOOKED)
    assert await library.find("orders", NAMED) == version

    clock.passed_s += 3_600

    assert await library.version(version.id) == version
    assert kept.looks == 1


async def test_a_template_of_another_service_is_not_there() -> None:
    kept = KeptTemplates()
    kept.publish(NAMED.name, BOOKED)

    assert await kept.library().find("payments", NAMED) == Unpublished(())
