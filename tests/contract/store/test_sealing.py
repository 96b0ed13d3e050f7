"""What sensitive notifications say: nowhere in the database but under a key."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.delivery.ports import Claimed
from notifier.errors import StoreRefusedError, TemplateError
from notifier.intake.ports import Submission
from notifier.mailbox import Mailbox
from notifier.notification.mail import MailDetails
from notifier.notification.model import Status
from notifier.notification.outcomes import Transient
from notifier.notification.transitions import FAIL, SUCCEED
from notifier.store.kit.opening import open_database
from notifier.store.kit.seals import Seals
from notifier.store.kit.tables import metadata
from notifier.store.notification.sealing import CONTENT
from notifier.store.notification.settings import StoreSettings
from notifier.store.notification.tables import notifications as n
from tests.clock import SystemClock
from tests.contract.store.stores import (
    Stores,
    a_message,
    a_submission,
    an_end,
    envelope_of,
    stores_over,
)
from tests.patience import PATIENT

CANARY = "canary4711"
OLD, NEW = b"the secret of last year", b"the secret of this year"


def secret(**changes: Any) -> Submission:
    """A sensitive notification that says the canary in every field that it can be in."""
    said: dict[str, Any] = {
        "subject": f"{CANARY} {{{{ code }}}}",
        "content": f"Your code: {{{{ code }}}} {CANARY}",
        "html": f"<b>{CANARY}</b>",
        "variables": {"code": CANARY, "number": 10**30},
        "mail": MailDetails(
            reply_to=Mailbox(CANARY, f"{CANARY}@shop.example"), headers={"X-Case": CANARY}
        ),
        "action_url": f"https://shop.example/{CANARY}",
    }
    return replace(a_submission(sensitive=True), **said, **changes)


@asynccontextmanager
async def opened(url: str, *secrets: bytes) -> AsyncIterator[Stores]:
    """A process that has these secrets."""
    async with open_database(url, PATIENT) as database:
        seals = Seals(secrets) if secrets else None
        yield stores_over(database, url, StoreSettings(seals=seals))


@pytest.fixture
async def stores(store_url: str) -> AsyncIterator[Stores]:
    async with opened(store_url, NEW) as has_key:
        yield has_key


async def tables_with(stores: Stores, words: str) -> list[str]:
    found: list[str] = []

    async def work(connection: AsyncConnection) -> None:
        for table in metadata.tables.values():
            rows = (await connection.execute(select(table))).all()
            found.extend([table.name] if words in repr(rows) else [])

    await stores.database.read(work)
    return found


async def columns(stores: Stores, id: UUID) -> Any:
    async def work(connection: AsyncConnection) -> Any:
        return (await connection.execute(select(n).where(n.c.id == id))).one()

    return await stores.database.read(work)


async def change(stores: Stores, id: UUID, **values: Any) -> None:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(update(n).where(n.c.id == id).values(**values))

    await stores.database.write(work)


def said(it: Claimed | Submission) -> list[Any]:
    return [getattr(it, name) for name in CONTENT]


async def test_a_worker_gets_what_was_sealed_and_no_table_says_it(stores: Stores) -> None:
    submission = await stores.accept(secret())
    pending = await tables_with(stores, CANARY)

    claimed = await stores.claim(envelope_of(submission))

    assert claimed
    assert said(claimed) == said(submission)
    assert (pending, await tables_with(stores, CANARY)) == ([], [])


@pytest.mark.parametrize("transition", [SUCCEED, FAIL])
async def test_nothing_is_left_at_its_end_not_even_its_metadata(
    stores: Stores, transition: Any
) -> None:
    submission = await stores.accept(secret(metadata={"order": "canary0815"}))
    claimed = await stores.claim(envelope_of(submission))
    assert claimed
    await stores.captures.add(a_message(submission))

    await stores.leases.finish(an_end(claimed, transition))

    row = await columns(stores, submission.id)
    assert (row.sealed, row.metadata) == (None, None)
    assert await tables_with(stores, "canary") == []


async def test_metadata_of_others_stays(stores: Stores) -> None:
    submission = a_submission(metadata={"order": "17"})

    await stores.ended(SUCCEED, submission)

    assert (await stores.get(submission.id)).metadata == {"order": "17"}


async def test_a_file_of_sqlite_never_holds_it(sqlite_store_url: str) -> None:
    async with opened(sqlite_store_url, NEW) as stores:
        await stores.accept(secret())
        await stores.ended(SUCCEED, secret())
        folder = Path(sqlite_store_url.removeprefix("sqlite:///")).parent
        files = list(folder.iterdir())

        assert [each.name for each in files if CANARY.encode() in each.read_bytes()] == []


async def test_what_is_not_sensitive_is_stored_as_it_is(stores: Stores) -> None:
    submission = await stores.accept(replace(secret(), sensitive=False))

    row = await columns(stores, submission.id)

    assert (row.sealed, row.content) == (None, submission.content)


async def test_what_was_stored_before_there_was_a_key_is_sent(store_url: str) -> None:
    async with opened(store_url) as before:
        submission = await before.accept(secret())
        assert "notifications" in await tables_with(before, CANARY)

    async with opened(store_url, NEW) as stores:
        claimed = await stores.claim(envelope_of(submission))

    assert claimed
    assert said(claimed) == said(submission)


async def test_keys_change_while_notifications_wait(store_url: str) -> None:
    async with opened(store_url, OLD) as stores:
        first = await stores.accept(secret())
    async with opened(store_url, NEW, OLD) as stores:
        second = await stores.accept(secret())
        old = await stores.claim(envelope_of(first))
    async with opened(store_url, NEW) as stores:
        new = await stores.claim(envelope_of(second))

    assert old
    assert new
    assert (said(old), said(new)) == (said(first), said(second))


@pytest.mark.parametrize("secrets", [(), (NEW,)])
async def test_a_worker_without_the_key_puts_it_off_and_loses_nothing(
    store_url: str, secrets: tuple[bytes, ...]
) -> None:
    async with opened(store_url, OLD) as stores:
        submission = await stores.accept(secret())
    async with opened(store_url, *secrets) as stores:
        claimed = await stores.claim(envelope_of(submission))
        assert claimed
        async with stores.preparer(SystemClock()).prepared(claimed) as prepared:
            assert isinstance(prepared, Transient)
            assert (prepared.code, prepared.throttled) == ("sealed", True)

    assert claimed.is_sealed
    assert said(claimed) == [None] * len(CONTENT)


async def test_what_is_sealed_for_one_is_not_sent_as_another_s(stores: Stores) -> None:
    mine, other = await stores.accept(secret()), await stores.accept(secret())
    await change(stores, mine.id, sealed=(await columns(stores, other.id)).sealed)

    claimed = await stores.claim(envelope_of(mine))

    assert claimed
    assert claimed.is_sealed


async def test_older_code_sends_nothing_of_it_and_leaves_it_to_be_replayed(stores: Stores) -> None:
    """It knows no column `sealed`: it finds no content, fails, and erases what it knows of."""
    submission = await stores.accept(secret())
    row = await columns(stores, submission.id)
    assert [getattr(row, name) for name in CONTENT] == [None] * len(CONTENT)
    claimed = await stores.claim(envelope_of(submission))
    assert claimed
    nothing: dict[str, Any] = dict.fromkeys(CONTENT)
    as_older_code_has_it = replace(claimed, is_sealed=False, **nothing)
    with pytest.raises(TemplateError, match="no content"):
        await stores.composer(SystemClock()).message(as_older_code_has_it)
    await stores.database.write(partial(_fail_as_older_code_does, id=submission.id))

    again = await stores.claim(envelope_of(submission, attempt=1))

    assert again
    assert said(again) == said(submission)


async def _fail_as_older_code_does(connection: AsyncConnection, *, id: UUID) -> None:
    erased = dict.fromkeys(CONTENT)
    failed = {"status": Status.FAILED, "lease_token": None, "lease_until": None, **erased}
    await connection.execute(update(n).where(n.c.id == id).values(failed))


async def test_a_text_that_cannot_be_stored_is_refused_as_ever(stores: Stores) -> None:
    with pytest.raises(StoreRefusedError):
        await stores.accept(secret(is_finished=True, traceparent="nul \0"))
    with pytest.raises(StoreRefusedError):
        await stores.accept(replace(secret(), content="nul \0"))
