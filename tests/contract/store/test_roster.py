"""The roster in the store: what processes say of themselves, and what is asked of them."""

from uuid import uuid4

import pytest

from notifier.idempotency import Applied, NotFound
from notifier.roster import FORGOTTEN_S, LATE_S, CannotDrain, Identity, Process, Role, Seen, State
from tests.contract.store.stores import Stores


def a_process(name: str = "host:1:a", role: Role = Role.WORKER) -> Identity:
    return Identity(name=name, role=role, host="host", pid=1, version="1.0", runner="host:0:r")


def at_work(**changes: object) -> Seen:
    told: dict[str, object] = {
        "state": State.RUNNING,
        "up_s": 60.0,
        "consumes": ["email.high", "email.normal"],
        "slots": 8,
        "busy": 1,
        "attempts": [uuid4()],
        "handled": 5_000_000_000,
        "memory_bytes": 90_000_000,
        "restarts": 2,
    }
    return Seen(**{**told, **changes})  # type: ignore[arg-type]  # the fields are as various


async def the_one(stores: Stores) -> Process:
    [found] = await stores.roster.list(limit=10)
    return found


async def test_a_process_is_as_it_said_last_and_started_when_it_said_first(
    stores: Stores,
) -> None:
    before, after = at_work(busy=0, attempts=[]), at_work(up_s=63.0)
    await stores.roster.beat(a_process(), before)
    first = await the_one(stores)

    await stores.roster.beat(a_process(), after)

    found = await the_one(stores)
    assert found.identity == a_process()
    told = (
        *("state", "consumes", "slots", "busy", "attempts"),
        *("handled", "memory_bytes", "restarts"),
    )
    assert [getattr(found.seen, each) for each in told] == [getattr(after, each) for each in told]
    assert found.started_at == first.started_at
    assert 59 < (first.beat_at - first.started_at).total_seconds() < 61
    assert (found.is_late, found.word, found.is_to_drain) == (False, "running", False)


async def test_who_is_not_heard_of_is_late_and_then_forgotten(stores: Stores) -> None:
    await stores.roster.beat(a_process(), at_work())
    await stores.pass_time(LATE_S + 1)

    assert (await the_one(stores)).word == "late"
    assert await stores.roster.purge() == 0

    await stores.pass_time(FORGOTTEN_S)
    assert await stores.roster.purge() == 1
    assert await stores.roster.list(limit=10) == []


async def test_who_stopped_is_not_late_and_holds_nothing(stores: Stores) -> None:
    await stores.roster.beat(a_process(), at_work())

    await stores.roster.end("host:1:a")
    await stores.roster.end("never was")
    await stores.pass_time(LATE_S + 1)

    found = await the_one(stores)
    assert (found.word, found.seen.busy, found.seen.attempts) == ("stopped", 0, [])


async def test_a_process_hears_that_it_is_to_drain_and_that_it_is_taken_back(
    stores: Stores,
) -> None:
    assert await stores.roster.beat(a_process(), at_work()) is False

    assert await stores.roster.drain("host:1:a", is_wanted=True) == Applied()
    assert await stores.roster.beat(a_process(), at_work()) is True
    assert (await the_one(stores)).is_to_drain

    assert await stores.roster.drain("host:1:a", is_wanted=False) == Applied()
    assert await stores.roster.beat(a_process(), at_work()) is False


@pytest.mark.parametrize("role", [Role.API, Role.RUNNER])
async def test_who_takes_no_notifications_cannot_be_drained(stores: Stores, role: Role) -> None:
    await stores.roster.beat(a_process(role=role), at_work())

    asked = await stores.roster.drain("host:1:a", is_wanted=True)

    assert asked == CannotDrain("it takes no notifications")
    assert not (await the_one(stores)).is_to_drain


async def test_neither_who_stopped_nor_who_never_was_can_be_drained(stores: Stores) -> None:
    await stores.roster.beat(a_process(), at_work())
    await stores.roster.end("host:1:a")

    stopped = await stores.roster.drain("host:1:a", is_wanted=True)

    assert stopped == CannotDrain("it has stopped")
    assert await stores.roster.drain("host:2:b", is_wanted=True) == NotFound()


async def test_pages_go_by_the_name(stores: Stores) -> None:
    for name in ("b", "c", "a"):
        await stores.roster.beat(a_process(name), at_work())

    first = await stores.roster.list(limit=2)
    rest = await stores.roster.list(limit=2, after="b")

    assert [each.identity.name for each in (*first, *rest)] == ["a", "b", "c"]


async def test_who_drains_and_was_forgotten_meanwhile_goes_on_draining(stores: Stores) -> None:
    await stores.roster.beat(a_process(), at_work())
    await stores.roster.drain("host:1:a", is_wanted=True)
    await stores.pass_time(FORGOTTEN_S + 1)
    await stores.roster.purge()

    assert await stores.roster.beat(a_process(), at_work(drains=True)) is True
    await stores.roster.drain("host:1:a", is_wanted=False)
    assert await stores.roster.beat(a_process(), at_work(drains=True)) is False
