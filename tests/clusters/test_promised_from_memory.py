"""Answers that rest on what an earlier request did, whose commit no standby may have."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

import httpx2
import pytest

from notifier.audience.inbox import Mark
from notifier.audience.suppression import Protected
from notifier.errors import StoreUnavailableError
from notifier.idempotency import Idempotency, NotFound, Remembered
from notifier.notification.model import Channel, Status
from notifier.notification.orders import Refused
from notifier.notification.outcomes import SuppressionReason
from notifier.notification.transitions import CANCEL, DELIVER, SUCCEED
from notifier.providers.receipt import AppliedReceipts
from notifier.store.kit.reasons import NO_STANDBY
from notifier.store.upgrading import upgrade
from tests.api import MAIL, PREFIX, over
from tests.contract.store.stores import (
    Stores,
    a_message,
    a_submission,
    an_end,
    envelope_of,
    open_stores,
)
from tests.contract.store.test_receipts import a_receipt
from tests.patience import AT_ALL_S, USUAL
from tests.servers.pgbouncer import private_pgbouncer
from tests.servers.postgres_pair import PostgresPair
from tests.waiting import require

Ask: TypeAlias = Callable[[], Awaitable[object]]

LIFTED = "lifted@example.org"
UNWILLING = "unwilling@example.org"
KEYED = {"Idempotency-Key": "order-17"}


async def test_a_repeat_is_told_202_once_the_standby_has_what_the_first_one_stored(
    synchronous_pair: PostgresPair,
) -> None:
    database = synchronous_pair.create_database()
    await upgrade(synchronous_pair.url(database))
    async with over(synchronous_pair.url(database)) as api:
        api.client.headers.update(await api.headers("orders", "send", "read"))

        async def post() -> Any:
            return await api.client.post(f"{PREFIX}/send", json=MAIL, headers=KEYED)

        await asyncio.to_thread(synchronous_pair.standby.freeze)
        away = [(await post()).status_code for _ in range(3)]
        ready = await api.client.get("/readyz")
        await asyncio.to_thread(synchronous_pair.standby.thaw)
        await asyncio.to_thread(synchronous_pair.primary.wait_for_standby)
        answers = [await post() for _ in range(2)]
        await asyncio.to_thread(synchronous_pair.fail_over)
        id = UUID(answers[0].json()["id"])
        await require(partial(has_it, api.client, id), timeout_s=AT_ALL_S, what="the id")

    assert away == [503, 503, 503]
    assert ready.status_code == 503
    assert ready.json()["database"] == {"ok": False, "problem": NO_STANDBY}
    assert [answer.status_code for answer in answers] == [202, 202]
    assert {answer.json()["id"] for answer in answers} == {str(id)}


@pytest.mark.parametrize("is_pooled", [False, True], ids=["direct", "pooled"])
async def test_what_is_told_of_an_earlier_change_waits_for_the_standby_as_the_change_did(
    synchronous_pair: PostgresPair, *, is_pooled: bool
) -> None:
    database = synchronous_pair.create_database()
    url = synchronous_pair.primary.url(database)
    await upgrade(url)
    with private_pgbouncer(synchronous_pair.primary.admin_url) as pooler:
        async with open_stores(pooler.url(url) if is_pooled else url, USUAL) as stores:
            doors = await doors_of(stores)
            names = list(doors)
            for few in (names[:4], names[4:8], names[8:]):  # as many as the pooler has sessions
                await asyncio.to_thread(synchronous_pair.standby.freeze)
                first = await outcomes(doors[name][0] for name in few)
                again = await outcomes(doors[name][1] for name in few)
                await asyncio.to_thread(synchronous_pair.standby.thaw)
                await asyncio.to_thread(synchronous_pair.primary.wait_for_standby)
                told = await outcomes(doors[name][1] for name in few)

                assert dict(zip(few, first, strict=True)) == dict.fromkeys(few, "503")
                assert dict(zip(few, again, strict=True)) == dict.fromkeys(few, "503")
                assert dict(zip(few, told, strict=True)) == {name: doors[name][2] for name in few}


@pytest.mark.parametrize("is_pooled", [False, True], ids=["direct", "pooled"])
async def test_whoever_asks_for_health_is_told_that_commits_wait_for_the_standby(
    synchronous_pair: PostgresPair, *, is_pooled: bool
) -> None:
    url = synchronous_pair.primary.url(synchronous_pair.create_database())
    await upgrade(url)
    with private_pgbouncer(synchronous_pair.primary.admin_url) as pooler:
        async with open_stores(pooler.url(url) if is_pooled else url, USUAL) as stores:
            await asyncio.to_thread(synchronous_pair.standby.freeze)
            with pytest.raises(StoreUnavailableError, match="wait for a synchronous standby"):
                await stores.queries.prove()
            await asyncio.to_thread(synchronous_pair.standby.thaw)
            await asyncio.to_thread(synchronous_pair.primary.wait_for_standby)

            await require(partial(is_well, stores), timeout_s=AT_ALL_S, what="health")


async def is_well(stores: Stores) -> bool:
    return await outcome(stores.queries.prove) is None


async def has_it(client: httpx2.AsyncClient, id: UUID) -> bool:
    answer = await client.get(f"{PREFIX}/{id}/status")
    assert answer.status_code in (200, 503)
    return answer.status_code == 200


async def outcomes(asks: Iterable[Ask]) -> list[object]:
    """What each of these answers, asked together."""
    return await asyncio.gather(*(outcome(ask) for ask in asks))


async def outcome(ask: Ask) -> object:
    try:
        return await ask()
    except StoreUnavailableError:
        return "503"


async def doors_of(stores: Stores) -> Mapping[str, tuple[Ask, Ask, object]]:
    """What changes something, what asks for it again, and what that is told at last."""
    kept = [a_submission(), a_submission()]
    cancelled, keyed, read = [await stores.accept() for _ in range(3)]
    sent = await stores.ended(SUCCEED)
    ended, claimed = await stores.claimed(), await stores.accept()
    await stores.suppress(a_submission(recipient=LIFTED))
    await stores.inbox.deliver(a_message(read))
    lift = partial(
        stores.suppressions.remove, service="orders", channel=Channel.EMAIL, recipient=LIFTED
    )
    theirs: dict[str, Any] = {"service": "orders", "channel": Channel.EMAIL, "recipient": UNWILLING}
    will = SuppressionReason.UNSUBSCRIBED
    unsubscribe = partial(stores.suppressions.add, **theirs, reason=will)
    send_all_the_same = partial(stores.suppressions.remove, **theirs)
    cancel = partial(stores.orders.move, CANCEL, service=None)
    insert = partial(stores.intake.insert, kept, a_key("insert"))
    refused = partial(stores.intake.insert, [a_submission()], a_key("refused"))
    find = partial(stores.once.remembered, service="orders", key="refused", fingerprint="f")
    cancel_it = partial(cancel, cancelled.id)
    cancel_by_key = partial(cancel, keyed.id, idempotency=a_key("cancel"))
    mark_all = partial(
        stores.inbox.mark, "orders", read.recipient, None, Mark.READ, idempotency=a_key("read")
    )
    pause = partial(stores.providers.pause, "smtp", reason="r", idempotency=a_key("pause"))
    suppress = partial(stores.suppress, a_submission(recipient="listed@example.org"))
    apply_all = partial(stores.receipts.apply, [a_receipt(sent, DELIVER)])
    claim = partial(stores.claim, envelope_of(claimed))
    finish = partial(stores.leases.finish, an_end(ended, SUCCEED))
    remembered = Remembered("answer")
    return {
        "insert": (insert, insert, remembered),
        "what is valid no more": (refused, find, remembered),
        "cancel": (cancel_it, cancel_it, Refused(Status.CANCELLED)),
        "cancel with a key": (cancel_by_key, cancel_by_key, remembered),
        "mark read": (mark_all, mark_all, remembered),
        "pause": (pause, pause, remembered),
        "suppress": (suppress, suppress, None),
        "lift": (lift, lift, NotFound()),
        "what the recipient wants": (unsubscribe, send_all_the_same, Protected(will)),
        "settle": (apply_all, apply_all, AppliedReceipts(0, ())),
        "claim": (claim, claim, None),
        "finish": (finish, finish, True),
    }


def a_key(name: str) -> Idempotency:
    return Idempotency(service="orders", key=name, fingerprint="f", answer="answer")
