"""Erasing a person: no table names them any more, and all that is counted adds up."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import compat

from notifier.audience.caps import CapUse
from notifier.audience.category import Span
from notifier.audience.choice_change import ChoiceChange, Source
from notifier.audience.erasure import SETTLE_S, AlsoKnown, Erasure, ErasureRequest, ErasuresUnderWay
from notifier.audience.suppression import Lifted
from notifier.audience.topic import Member
from notifier.broadcasts.broadcast import Broadcast, StoredBroadcast, Whom
from notifier.events.event import Throttle
from notifier.idempotency import Idempotency, KeyReused, NotFound
from notifier.intake.ports import Submission
from notifier.notification.model import Addressee, Channel, Lane, Status
from notifier.notification.orders import Erased
from notifier.notification.origin import Origin
from notifier.notification.outcomes import Fault, SuppressionReason
from notifier.notification.retention import PurgeReason
from notifier.notification.transitions import FAIL, REPLAY, SUCCEED
from notifier.providers.receipt import Receipt
from notifier.schedules.schedule import ToRecipient, ToUser
from notifier.store import choices
from notifier.store.broadcasts.tables import broadcasts
from notifier.store.erasing import stepping
from notifier.store.kit.sql import Now
from notifier.store.kit.tables import metadata
from tests.contract.store.stores import (
    PSEUDONYMS,
    Stores,
    a_message,
    a_submission,
    an_end,
    envelope_of,
    open_stores,
)
from tests.contract.store.test_schedules import a_schedule
from tests.events import a_match, a_reaction, an_event, in_digest
from tests.people import a_profile, an_address

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
CANARY = "canary"
MAIL = f"{CANARY}@example.org"
OLD_MAIL = f"old-{CANARY}@example.org"
USER = f"u-{CANARY}"
CHANGES = [
    ChoiceChange(
        service="orders",
        category="news",
        channel="*",
        is_on=False,
        source=Source.PAGE,
        user_id=USER,
    ),
    ChoiceChange(
        service="orders",
        category="news",
        channel="email",
        is_on=False,
        source=Source.ONE_CLICK,
        recipient=MAIL,
    ),
]
QUOTING = Fault(kind="permanent", code="550", message=f"no mailbox {MAIL} here")


def a_request(
    *, forget_suppression: bool = False, also: str | None = OLD_MAIL, user_id: str = USER
) -> ErasureRequest:
    return ErasureRequest(
        id=compat.uuid7(),
        service="orders",
        user_id=user_id,
        reason="user_request",
        requested_by="key-1",
        also_addresses=[AlsoKnown(Channel.EMAIL, also)] if also else [],
        forget_suppression=forget_suppression,
    )


def telling(
    *, user_id: str | None = None, recipient: str = MAIL, channel: Channel = Channel.EMAIL
) -> Submission:
    """What is sent to them: all that it says names them."""
    made = a_submission(channel=channel, recipient=recipient, metadata={"name": CANARY})
    return replace(
        made,
        subject=CANARY,
        content="Dear {{ name }}",
        variables={"name": CANARY},
        origin=Origin(rule="shipped", key=CANARY),
        addressee=Addressee(user_id=user_id) if user_id else None,
    )


async def erase(stores: Stores, request: ErasureRequest) -> Erasure:
    await stores.erasures.begin(request)
    return await finished(stores, request.id)


async def finished(stores: Stores, id: UUID) -> Erasure:
    for _ in range(9):
        while await stores.erasing.step():
            pass
        if (found := await state(stores, id)).finished_at:
            return found
        await stores.pass_time(SETTLE_S + 1)
    raise AssertionError(await state(stores, id))


async def state(stores: Stores, id: UUID) -> Erasure:
    found = await stores.erasures.find(id, service="orders")
    assert isinstance(found, Erasure)
    return found


async def dump(stores: Stores) -> Mapping[str, str]:
    """Return all that each table holds, as text."""

    async def work(connection: AsyncConnection) -> Mapping[str, str]:
        return {
            name: repr([tuple(row) for row in await connection.execute(select(table))])
            for name, table in metadata.tables.items()
        }

    return await stores.database.read(work)


async def tables_with_the_canary(stores: Stores) -> list[str]:
    return [name for name, rows in (await dump(stores)).items() if CANARY in rows.casefold()]


async def fill(stores: Stores) -> None:
    """Let this person be everywhere that somebody can be."""
    await stores.people.put("orders", a_profile(USER, an_address(MAIL), attributes={"n": CANARY}))
    await stores.topics.set(service="orders", key="news", title="News")
    await stores.topics.add("orders", "news", [Member(USER, {"name": CANARY})])
    await stores.database.write(partial(choices.note, changes=CHANGES))
    slot = CapUse(service="orders", user_id=USER, cap="news", slot=NOON, limit=9, per=Span.DAY)
    assert await stores.caps.spend(slot, (await stores.accept()).id)
    await stores.ended(SUCCEED, telling(user_id=USER))
    await stores.ended(SUCCEED, telling())
    await stores.ended(SUCCEED, telling(recipient=OLD_MAIL))
    claimed = await stores.claimed(telling())
    await stores.leases.finish(
        an_end(claimed, FAIL, fault=QUOTING, suppress_as=SuppressionReason.HARD_BOUNCE)
    )
    shown = telling(channel=Channel.IN_APP, recipient=USER)
    await stores.ended(SUCCEED, shown)
    await stores.inbox.deliver(a_message(shown))
    await stores.captures.add(a_message(shown))
    for to in (ToUser(USER, Channel.EMAIL), ToRecipient(MAIL.title(), Channel.EMAIL)):
        await stores.schedules.add(a_schedule(to=to))
    event = an_event(data={"user": USER}, subject=CANARY)
    sent = a_match(event, submissions=(), throttle=Throttle(count=9, per_s=60), key=CANARY)
    await stores.event_store.record([a_reaction(event, sent, in_digest(event))])


async def test_no_table_names_them_any_more_and_the_account_adds_up(stores: Stores) -> None:
    await fill(stores)
    await stores.intake.insert([telling(recipient=OLD_MAIL)])
    other = await stores.ended(SUCCEED, a_submission())
    before = await stores.queries.account(service="orders")
    assert set(await tables_with_the_canary(stores)) >= {
        "notifications", "notification_events", "recipients", "recipient_addresses",
        "topic_members", "cap_uses", "choice_changes", "inboxes", "inbox_items", "captures",
        "suppressions", "events", "event_matches", "throttles", "digests", "digest_items",
        "schedules",
    }  # fmt: skip

    done = await erase(stores, a_request())

    assert await tables_with_the_canary(stores) == []
    after = await stores.queries.account(service="orders")
    assert (after.accepted, after.is_balanced) == (before.accepted, True)
    assert after.by_status[Status.CANCELLED] == 1
    assert (await stores.get(other.id)).content is not None
    gone = (await stores.queries.backlog()).purged_content
    assert gone[Channel.EMAIL, PurgeReason.ERASURE] + gone[Channel.IN_APP, PurgeReason.ERASURE] == 6
    assert done.counts == {
        "people": 1, "addresses": 1, "cancelled": 1, "notifications": 6, "inboxes": 1,
        "suppressions_kept": 1, "caps": 1, "choice_changes": 2, "events": 1, "digests": 1,
        "schedules": 2,
    }  # fmt: skip


async def test_a_file_of_sqlite_has_nothing_of_them_either(sqlite_store_url: str) -> None:
    async with open_stores(sqlite_store_url) as stores:
        await fill(stores)
        await erase(stores, a_request())

    path = Path(sqlite_store_url.removeprefix("sqlite:///"))
    folder = path.parent.iterdir()
    assert [each.name for each in folder if CANARY.encode() in each.read_bytes()] == []


async def test_the_receipt_is_signed_and_names_nobody(stores: Stores) -> None:
    await fill(stores)

    receipt: Any = (await erase(stores, a_request())).receipt

    assert CANARY not in json.dumps(receipt)
    assert PSEUDONYMS.is_sealed(receipt)
    assert not PSEUDONYMS.is_sealed({**receipt, "finished_at": "2020-01-01"})
    assert receipt["erased"]["notifications"] == 5
    assert receipt["erased"]["people"] == 1
    assert receipt["kept"][0]["what"] == "suppressions"


async def test_those_that_are_not_done_are_counted_by_the_oldest(stores: Stores) -> None:
    await erase(stores, a_request(user_id="somebody"))
    assert await stores.erasures.under_way() == ErasuresUnderWay(0, 0.0)
    for user_id in ("u-8", "u-9"):
        await stores.pass_time(60)
        await stores.erasures.begin(a_request(user_id=user_id))

    found = await stores.erasures.under_way()

    assert (found.count, found.oldest_s // 60) == (2, 1)


async def test_who_comes_back_is_still_not_sent_to(stores: Stores) -> None:
    await fill(stores)
    await erase(stores, a_request())

    await stores.people.put("orders", a_profile(USER, an_address(MAIL)))
    again = a_submission(recipient=MAIL.upper())
    await stores.intake.insert([again])
    repeated = a_submission(recipient=MAIL)
    key = Idempotency(service="orders", key="k", fingerprint="f", answer="{}")
    await stores.intake.insert([repeated], key)

    assert await stores.status(again.id) is Status.SUPPRESSED
    assert await stores.status(repeated.id) is Status.SUPPRESSED
    other = await stores.accept(a_submission(recipient=MAIL, service="payments"))
    assert await stores.status(other.id) is Status.PENDING


async def test_who_comes_back_is_sent_to_if_that_was_to_be_forgotten(stores: Stores) -> None:
    await fill(stores)
    await erase(stores, a_request(forget_suppression=True))

    again = await stores.accept(a_submission(recipient=MAIL))

    assert await stores.status(again.id) is Status.PENDING


async def test_an_address_that_is_kept_as_a_hash_can_be_asked_for_and_taken_off(
    stores: Stores,
) -> None:
    await fill(stores)
    await erase(stores, a_request())

    reason = await stores.suppressions.reason("orders", Channel.EMAIL, MAIL, None)
    lifted = await stores.suppressions.remove(
        service="orders", channel=Channel.EMAIL, recipient=MAIL.upper(), why="asked by phone"
    )

    assert reason is SuppressionReason.HARD_BOUNCE
    assert lifted == Lifted(frozenset({SuppressionReason.HARD_BOUNCE}))
    again = await stores.accept(a_submission(recipient=MAIL))
    assert await stores.status(again.id) is Status.PENDING


async def test_a_complaint_that_comes_late_is_kept_as_a_hash(stores: Stores) -> None:
    sent = telling()
    await stores.ended(SUCCEED, sent)
    await erase(stores, a_request(also=MAIL))
    late = await stores.claimed(a_submission(recipient=MAIL))
    await stores.leases.finish(an_end(late, FAIL, suppress_as=SuppressionReason.SPAM_REPORT))
    await erase(stores, a_request(also=MAIL))

    again = await stores.accept(a_submission(recipient=MAIL))

    assert await stores.status(again.id) is Status.SUPPRESSED


async def test_what_is_with_a_provider_is_waited_for(stores: Stores) -> None:
    claimed = await stores.claimed(telling(user_id=USER))
    request = a_request()
    await stores.erasures.begin(request)
    for _ in range(5):
        while await stores.erasing.step():
            pass
        await stores.pass_time(SETTLE_S + 1)
    assert (await state(stores, request.id)).finished_at is None

    await stores.leases.finish(an_end(claimed, FAIL, fault=QUOTING))
    await finished(stores, request.id)

    assert await tables_with_the_canary(stores) == []


async def test_a_send_that_read_them_before_and_commits_after_is_found(stores: Stores) -> None:
    request = a_request()
    await stores.erasures.begin(request)
    while await stores.erasing.step():
        pass

    late = await stores.accept(telling(user_id=USER))
    await stores.pass_time(SETTLE_S + 1)
    await finished(stores, request.id)

    assert await stores.status(late.id) is Status.CANCELLED
    assert await tables_with_the_canary(stores) == []


async def test_what_failed_for_them_is_not_sent_again_by_any_door(stores: Stores) -> None:
    failed = await stores.ended(FAIL, telling(recipient=OLD_MAIL))
    await erase(stores, a_request())

    letter = envelope_of(failed, failed.attempt)
    claimed = await stores.leases.claim(letter, lease_token=uuid4(), lease_s=60, leased_by="w")

    assert await stores.orders.move(REPLAY, failed.id, service="orders") == Erased()
    assert await stores.orders.replay_failed(channel=None, limit=10) == []
    assert claimed == Erased()
    assert (await stores.get(failed.id)).status is Status.FAILED


async def test_a_person_at_the_same_address_stays(stores: Stores) -> None:
    theirs = await stores.ended(SUCCEED, telling(user_id="u-8"))
    await erase(stores, a_request(also=MAIL))

    kept = await stores.get(theirs.id)

    assert (kept.recipient, kept.variables) == (MAIL, {"name": CANARY})


async def test_where_they_were_sent_to_by_id_is_theirs_by_address_too(stores: Stores) -> None:
    await stores.ended(SUCCEED, telling(user_id=USER, recipient=MAIL))
    await stores.ended(SUCCEED, telling(recipient=MAIL))

    await erase(stores, a_request(also=None))

    assert await tables_with_the_canary(stores) == []


async def test_one_erased_person_is_still_one(stores: Stores) -> None:
    first, second = telling(user_id=USER), telling()
    for each in (first, second):
        await stores.ended(SUCCEED, each)
    await erase(stores, a_request(also=MAIL))

    recipients = {(await stores.get(each.id)).recipient for each in (first, second)}

    assert recipients == {PSEUDONYMS.of("orders", Channel.EMAIL, MAIL)}
    assert await stores.events(first.id) == ["accept", "claim", "succeed"]


async def test_a_repeated_request_gets_no_answer_and_no_other_notification(
    stores: Stores,
) -> None:
    kept = Idempotency(service="orders", key="k-1", fingerprint="f", answer="")
    named = Idempotency(service="orders", key=f"welcome {MAIL}", fingerprint="f", answer="")
    for key in (kept, named):
        sent = telling()
        answer = json.dumps({"id": str(sent.id), "to": CANARY})
        told = Idempotency(service="orders", key=key.key, fingerprint="f", answer=answer)
        await stores.intake.insert([sent], told)

    await erase(stores, a_request(also=MAIL))

    assert await tables_with_the_canary(stores) == []
    assert isinstance(await stores.intake.insert([telling()], kept), KeyReused)


async def test_broadcasts_name_them_no_more_and_leave_out_the_others_still(
    stores: Stores,
) -> None:
    whom = Whom(topic="news", excluded=frozenset({USER, "u-8"}))
    over = Broadcast(
        id=compat.uuid7(),
        service="orders",
        channel=Channel.EMAIL,
        lane=Lane.BULK,
        template="news",
        version_id=compat.uuid7(),
        whom=whom,
        variables={},
    )
    await stores.broadcasts.accept(over)
    done = update(broadcasts).values(state="done", finished_at=Now(), place=USER)

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(done)

    await stores.database.write(work)

    await erase(stores, a_request())

    kept = await stores.broadcasts.get(over.id, service="orders")
    assert isinstance(kept, StoredBroadcast)
    assert kept.whom.excluded == {"u-8"}
    assert await tables_with_the_canary(stores) == []


async def test_what_a_late_worker_captures_meanwhile_goes_too(stores: Stores) -> None:
    sent = telling()
    await stores.ended(SUCCEED, sent)
    request = a_request(also=MAIL)
    await stores.erasures.begin(request)
    while await stores.erasing.step():
        pass

    await stores.captures.add(a_message(sent))
    await stores.pass_time(SETTLE_S + 1)
    await finished(stores, request.id)

    assert await stores.captures.page(limit=9, before=None, channel=None) == []


async def test_that_they_subscribed_again_is_forgotten(stores: Stores) -> None:
    sent = await stores.ended(SUCCEED, telling())
    again = Receipt(
        provider="smtp",
        event_id="e",
        id=sent.id,
        transition=None,
        lift=SuppressionReason.UNSUBSCRIBED,
        at=NOON,
    )
    await stores.receipts.apply([again])
    assert "lifted" in (await dump(stores))["receipts"]

    await erase(stores, a_request(also=MAIL))

    assert "lifted" not in (await dump(stores))["receipts"]


class BrokenOffError(Exception):
    """Where a process would be killed."""


async def test_a_step_that_is_broken_off_is_done_by_the_next_one(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(stores)
    request = a_request()
    await stores.erasures.begin(request)

    async def broken(*_: object) -> None:
        raise BrokenOffError

    while not (await state(stores, request.id)).finished_at:
        with monkeypatch.context() as patch:
            patch.setattr(stepping, "_record", broken)
            patch.setattr(stepping, "_end_pass", broken)
            with pytest.raises(BrokenOffError):
                await stores.erasing.step()
        await stores.erasing.step()
        await stores.pass_time(SETTLE_S + 1)

    assert (await state(stores, request.id)).counts["notifications"] == 5
    assert await tables_with_the_canary(stores) == []


async def test_several_relays_do_everything_once(stores: Stores) -> None:
    await fill(stores)
    request = a_request()
    await stores.erasures.begin(request)

    for _ in range(12):
        await asyncio.gather(*(stores.erasing.step() for _ in range(3)))
    done = await finished(stores, request.id)

    assert done.counts["notifications"] == 5
    assert await tables_with_the_canary(stores) == []


async def test_an_erasure_is_its_service_s_own(stores: Stores) -> None:
    request = a_request()
    await stores.erasures.begin(request)

    assert isinstance(await stores.erasures.find(request.id, service="payments"), NotFound)


def test_a_reason_that_says_whom_is_noticed() -> None:
    told = a_request()
    named = ErasureRequest(
        id=told.id, service="orders", user_id=USER, reason=f"asked by {MAIL.upper()}",
        requested_by="k", also_addresses=[AlsoKnown(Channel.EMAIL, MAIL)],
    )  # fmt: skip

    assert named.names_whom_it_erases()
    assert not told.names_whom_it_erases()
