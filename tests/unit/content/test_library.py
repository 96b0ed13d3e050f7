import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from notifier.content.library import Archived, Unpublished
from notifier.content.template import TemplateRef, TemplateVersion
from notifier.notification.model import Channel
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

    clock.passed_s += FRESH_S - 0.01
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

    library.forget()

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


async def test_a_flood_with_a_name_that_there_is_not_looks_for_it_once() -> None:
    kept, clock = KeptTemplates(), MovedClock()
    library = kept.library(clock)
    numbered = TemplateRef(NAMED.name, 7)

    for _ in range(100):
        assert await library.find("orders", NAMED) == Unpublished(())
        assert await library.find("orders", numbered) == Unpublished(())

    assert kept.looks == 2
    kept.publish(NAMED.name, BOOKED)
    clock.passed_s += FRESH_S
    assert number_of(await library.find("orders", NAMED)) == 1
    assert await library.find("orders", numbered) == Unpublished((1,))


async def test_what_was_not_there_is_found_once_it_is_published_here() -> None:
    kept = KeptTemplates()
    library = kept.library(MovedClock())
    await library.find("orders", NAMED)
    kept.publish(NAMED.name, BOOKED)

    library.forget()

    assert number_of(await library.find("orders", NAMED)) == 1


class SlowTemplates(KeptTemplates):
    """Has read, and is late to say what."""

    async def find(
        self, service: str, ref: TemplateRef
    ) -> TemplateVersion | Archived | Unpublished:
        found = await super().find(service, ref)
        await asyncio.sleep(0)
        return found


async def test_what_was_read_before_a_change_is_not_kept_after_it() -> None:
    kept = SlowTemplates()
    library = kept.library(MovedClock())
    reading = asyncio.create_task(library.find("orders", NAMED))
    await asyncio.sleep(0)
    kept.publish(NAMED.name, BOOKED)
    library.forget()

    assert await reading == Unpublished(())
    assert number_of(await library.find("orders", NAMED)) == 1


async def test_large_versions_do_not_fill_the_memory() -> None:
    kept = KeptTemplates()
    library = kept.library(MovedClock())
    large = replace(BOOKED, parts={"en": {Channel.EMAIL: {"text": "a" * 20_000_000}}})
    versions = [kept.publish(NAMED.name, large) for _ in range(4)]
    for each in versions:
        await library.version(each.id)
    looks = kept.looks

    for each in versions[-2:]:
        await library.version(each.id)
    assert kept.looks == looks
    await library.version(versions[0].id)

    assert kept.looks == looks + 1
