"""The audit log: noted with what it is about, or not at all."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from notifier.audit import Act, AuditFilter, AuditOutcome, Via, acting, concerning
from notifier.errors import StoreRefusedError
from notifier.store.audit import SqlAuditLog
from tests.contract.store.stores import Stores

EVERYTHING = AuditFilter()


def an_act(**changes: Any) -> Act:
    told = {
        "id": uuid7(),
        "via": Via.API,
        "actor": "key-1",
        "service": "orders",
        "action": "pauseProvider",
        "target": "/api/v1/providers/smtp/pause",
        "source": "192.0.2.7",
        "request_id": "r-1",
    }
    return Act(**{**told, **changes})


async def did(stores: Stores, **changes: Any) -> UUID:
    """Pause a provider as somebody's act; returns the act's id."""
    act = an_act(**changes)
    with acting(act):
        await stores.providers.pause("smtp", reason="maintenance")
    return act.id


async def found(stores: Stores, filter: AuditFilter = EVERYTHING) -> list[UUID]:
    return [each.act.id for each in await stores.audit.list(filter, limit=100, after=None)]


async def test_a_change_is_noted_with_who_asked_for_it(stores: Stores) -> None:
    act = an_act()

    with acting(act) as under_way:
        await stores.providers.pause("smtp", reason="maintenance")

    [entry] = await stores.audit.list(EVERYTHING, limit=10, after=None)
    assert (entry.act, entry.outcome) == (act, AuditOutcome.DONE)
    assert abs(entry.at - await stores.now()) < timedelta(seconds=60)
    assert under_way.is_noted


async def test_an_act_that_writes_nothing_else_is_noted_with_whom_it_concerns(
    stores: Stores,
) -> None:
    act = an_act(action="testProvider", target="/api/v1/providers/smtp/test")

    with acting(act):
        concerning("a-keyed-hash")
        await stores.audit.note()

    [entry] = await stores.audit.list(EVERYTHING, limit=10, after=None)
    assert entry.act.target == "/api/v1/providers/smtp/test a-keyed-hash"
    assert entry.outcome is AuditOutcome.DONE


async def test_what_nobody_asks_for_is_not_noted(stores: Stores) -> None:
    await stores.providers.pause("smtp", reason="maintenance")
    with acting(an_act()) as under_way:
        await stores.providers.states()

    assert await found(stores) == []
    assert not under_way.is_noted


async def test_an_act_of_several_transactions_is_noted_once(stores: Stores) -> None:
    act = an_act()

    with acting(act):
        for name in ("smtp", "sendgrid", "twilio"):
            await stores.providers.pause(name, reason="maintenance")

    assert await found(stores) == [act.id]


async def test_what_is_rolled_back_leaves_no_note(stores: Stores) -> None:
    async def work(_: AsyncConnection) -> None:
        raise ZeroDivisionError

    with acting(an_act()), pytest.raises(ZeroDivisionError):
        await stores.database.write(work)

    assert await found(stores) == []


async def test_an_act_without_its_note_is_not_done(stores: Stores) -> None:
    with acting(an_act(actor=None)), pytest.raises(StoreRefusedError):
        await stores.providers.pause("smtp", reason="maintenance")

    assert list(await stores.providers.states()) == []


async def test_what_was_answered_is_added(stores: Stores) -> None:
    id = await did(stores)

    await stores.audit.end(id, AuditOutcome.REFUSED)

    assert await found(stores, AuditFilter(outcome=AuditOutcome.DONE)) == []
    assert await found(stores, AuditFilter(outcome=AuditOutcome.REFUSED)) == [id]


async def test_entries_are_found_by_who_what_where_and_when(stores: Stores) -> None:
    first = await did(stores)
    second = await did(stores, via=Via.COMMAND, actor="ada", service=None, action="providers pause")
    now = await stores.now()

    assert await found(stores) == [second, first]
    assert await found(stores, AuditFilter(actor="ada")) == [second]
    assert await found(stores, AuditFilter(action="pauseProvider")) == [first]
    assert await found(stores, AuditFilter(service="orders")) == [first]
    assert await found(stores, AuditFilter(via=Via.COMMAND)) == [second]
    assert await found(stores, AuditFilter(since=now + timedelta(hours=1))) == []
    assert await found(stores, AuditFilter(before=now - timedelta(hours=1))) == []
    page = await stores.audit.list(EVERYTHING, limit=1, after=second)
    assert [each.act.id for each in page] == [first]


async def test_what_is_too_old_is_forgotten(stores: Stores) -> None:
    await did(stores)
    younger = SqlAuditLog(stores.database, kept_days=1)
    assert await younger.purge() == 0

    await stores.pass_time(2 * 86_400)

    assert await younger.purge() == 1
    assert await found(stores) == []
