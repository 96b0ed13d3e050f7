"""Searches by what notifications come from, and by what became of them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from notifier.broadcasts.broadcast import StoredBroadcast
from notifier.intake.ports import Submission
from notifier.notification.model import Channel, Lane, Pin, Status
from notifier.notification.origin import Origin
from notifier.notification.reading import NotificationFilter
from notifier.notification.transitions import CANCEL, FAIL, RETRY, SUCCEED
from notifier.store.notification import searching
from tests.contract.store.stores import A_FAULT, Stores, a_submission, an_end
from tests.contract.store.test_broadcasts import accepted, chunk, turn
from tests.contract.store.test_templates import published


async def found(stores: Stores, limit: int = 100, **wanted: Any) -> list[UUID]:
    """The ids of all that match, following where pages go on."""
    ids: list[UUID] = []
    after = None
    for _ in range(50):
        page = await stores.queries.list(
            NotificationFilter(**wanted), service=None, limit=limit, after=after
        )
        ids += [each.id for each in page.items]
        if (after := page.goes_on_after) is None:
            return ids
    raise AssertionError("it never ends")


async def failed(stores: Stores, code: str, submission: Submission | None = None) -> UUID:
    claimed = await stores.claimed(submission)
    await stores.leases.finish(an_end(claimed, FAIL, fault=replace(A_FAULT, code=code)))
    return claimed.id


async def test_one_is_found_by_its_id_and_by_nothing_of_others(stores: Stores) -> None:
    one = await stores.accept()
    await stores.accept()

    assert await found(stores, id=one.id) == [one.id]
    assert await found(stores, id=one.id, channels=[Channel.SMS]) == []
    assert await found(stores, id=uuid4()) == []


async def test_what_they_were_accepted_with_finds_them(stores: Stores) -> None:
    version = await published(stores.templates)
    pinned = await stores.accept(
        replace(a_submission(), content=None, template=Pin(version.id, "en"), lane=Lane.HIGH)
    )
    ruled = await stores.accept(replace(a_submission(), origin=Origin(rule="welcome")))

    assert await found(stores, template=version.name) == [pinned.id]
    assert await found(stores, template="unheard-of") == []
    assert await found(stores, lanes=[Lane.HIGH]) == [pinned.id]
    assert await found(stores, lanes=[Lane.HIGH, Lane.NORMAL]) == [ruled.id, pinned.id]
    assert await found(stores, rule="welcome") == [ruled.id]
    assert await found(stores, rule="welcome", lanes=[Lane.BULK]) == []


async def test_the_provider_that_was_asked_last_finds_them(stores: Stores) -> None:
    sent = await stores.ended(SUCCEED)
    await stores.accept()

    assert await found(stores, provider="smtp") == [sent.id]
    assert await found(stores, provider="sendgrid") == []


async def test_an_error_finds_what_failed_of_it_and_what_waits_after_it(stores: Stores) -> None:
    first = await failed(stores, "550")
    await failed(stores, "451")
    waiting = await stores.claimed()
    fault = replace(A_FAULT, code="550")
    await stores.leases.finish(an_end(waiting, RETRY, fault=fault))
    await stores.ended(SUCCEED)

    assert await found(stores, error_code="550") == [waiting.id, first]
    assert await found(stores, error_code="550", statuses=[Status.FAILED]) == [first]
    assert await found(stores, error_code="550", statuses=[Status.PENDING]) == [waiting.id]
    assert await found(stores, error_code="550", statuses=[Status.SENT]) == []


@pytest.mark.parametrize("limit", [2, 3, 100])
async def test_final_ones_and_those_under_way_are_found_each_once(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(searching, "_LOOKED_AT", 4)
    every: list[UUID] = []
    for turn_ in range(12):
        if turn_ % 3 == 0:
            every.append(await failed(stores, "550"))
        else:
            every.append((await stores.accept()).id)
        if turn_ % 3 == 1:
            await stores.orders.move(CANCEL, every[-1], service=None)
    mixed = [Status.FAILED, Status.PENDING]

    wanted = [id for turn_, id in enumerate(every) if turn_ % 3 != 1]
    assert await found(stores, limit, statuses=mixed) == wanted[::-1]


async def test_a_broadcasts_are_found_by_it_among_all_others_at_any_time(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "_LOOKED_AT", 4)
    broadcast = await announced(stores, "u1", "u2", "u3")
    for _ in range(9):
        await stores.accept()

    first = await stores.queries.list(
        NotificationFilter(broadcast_id=broadcast.id), service=None, limit=9, after=None
    )

    assert len(first.items) == 3
    later = broadcast.created_at - timedelta(minutes=1)
    assert len(await found(stores, broadcast_id=broadcast.id, created_from=later)) == 3
    assert len(await found(stores, 2, broadcast_id=broadcast.id)) == 3
    assert await found(stores, broadcast_id=uuid4()) == []


async def announced(stores: Stores, *user_ids: str) -> StoredBroadcast:
    await accepted(stores)
    broadcast = await turn(stores)
    assert await stores.expansion.record(chunk(broadcast, *user_ids)) is not None
    return broadcast


async def test_what_was_made_of_one_is_found_from_both_sides(stores: Stores) -> None:
    first = await stores.accept()
    made = [await stores.accept(replace(a_submission(), forwarded_from=first.id)) for _ in range(2)]

    assert await stores.queries.forwards(first.id) == [each.id for each in made]
    assert (await stores.get(made[0].id)).forwarded_from == first.id
    assert await stores.queries.forwards(made[0].id) == []
    assert (await stores.get(first.id)).forwarded_from is None


@pytest.mark.parametrize("most", [2, 50])
async def test_of_all_services_those_of_several_statuses_are_found_each_once(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(searching, "_MOST_LINES", most)
    ids = [
        await failed(stores, "550", a_submission(service=f"service-{number % 3}"))
        for number in range(6)
    ]

    assert await found(stores, 2, error_code="550") == ids[::-1]
