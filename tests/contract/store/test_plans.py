"""What hot statements read, with plans that were made when their tables were small."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from notifier.delivery.ports import Finish
from notifier.idempotency import Idempotency
from notifier.notification.envelope import Envelope
from notifier.notification.feed import START
from notifier.notification.model import Channel, Lane
from notifier.notification.queueing import WORK_QUEUES
from notifier.notification.transitions import SUCCEED
from notifier.store.kit import idempotency
from notifier.store.kit.rows import encode, joined
from notifier.store.notification import (
    attempts,
    due,
    feed,
    finishing,
    inserting,
    publications,
    unknown,
    upkeep,
)
from notifier.store.notification.attempts import ClaimRequest
from notifier.store.notification.rows import envelope_row, finish_row, submission_row
from tests.contract.store.plans import Case, nodes, rows_read, session_of
from tests.contract.store.stores import (
    LOST_AFTER_S,
    PSEUDONYMS,
    Stores,
    a_submission,
    an_end,
    envelope_of,
    open_stores,
)

ROWS = 32
BACKLOG = 2_000
LIMIT = 3
"""How many rows a statement may read, and throw away, for each that is given to it."""

PAGES = 12
"""Of an index and its table, for one row; a backlog fills many more."""

_AFTER = {"take": "due"}
"""Which statement of the same transaction goes before another one."""

_WHILE_SMALL = {
    "never analysed": "SELECT 1",
    "empty": "ANALYZE notifications",
    "one finished": "1",
    "twenty finished": "20",
    "a hundred finished": "100",
    "one finished, vacuumed": "1 vacuumed",
    "emptied": "0 emptied",
    "analysed and emptied": "0 analysed and emptied",
    "moved, analysed and emptied": "2 analysed and emptied",
}


_TURNED = "UPDATE notifications SET status = '{}' WHERE sent_at IS NULL"


def _cases(ids: list[UUID]) -> dict[str, Case]:
    envelopes = [_envelope(id) for id in ids]
    rows = joined(map(envelope_row, envelopes))
    wanted = joined(
        attempts._claim_row(  # noqa: SLF001
            ClaimRequest(envelope=each, lease_token=uuid4(), lease_s=60, leased_by="worker")
        )
        for each in envelopes
    )
    ends = joined(map(finish_row, map(_finish, ids)))
    return {
        "mark": Case(publications._MARK_PUBLISHED.statement, {"rows": rows, "lost_after_s": 600}),  # noqa: SLF001
        "bury": Case(publications._MARK_BURIED.statement, {"rows": rows}),  # noqa: SLF001
        "claim": Case(attempts._CLAIM.statement, {"rows": wanted}),  # noqa: SLF001
        "renew": Case(attempts._RENEW.statement, {"rows": wanted}),  # noqa: SLF001
        "replay": Case(attempts._REPLAY.statement, {"rows": rows}),  # noqa: SLF001
        "unknown": Case(unknown._NOTE_AND_TELL, {"rows": rows}),  # noqa: SLF001
        "due": Case(due._DUE_LINES, {"queues": _queues()}),  # noqa: SLF001
        "take": Case(due._TAKE, {**_LINE, "limit": ROWS, "hold_s": 10}),  # noqa: SLF001
        "finish": Case(finishing._FINISH.statement, {"rows": ends, "misses": "[]", "grace_s": 5}),  # noqa: SLF001
    }


_LINE = {"of_channel": "email", "of_lane": "normal", "of_service": "orders"}


def _queues() -> str:
    return joined(encode({"channel": channel, "lane": lane}) for channel, lane in WORK_QUEUES)


def _requests() -> dict[str, object]:
    """As many requests as rows, each with a key that is new."""
    requests = [a_submission() for _ in range(ROWS)]
    names = {
        each.id: Idempotency(service="orders", key=each.id.hex, fingerprint="f", answer="a")
        for each in requests
    }
    return {
        "rows": joined(submission_row(each, each.id, PSEUDONYMS) for each in requests),
        "keys": joined(idempotency.request_row(key, id) for id, key in names.items()),
    }


def _envelope(id: UUID) -> Envelope:
    return Envelope(id=id, channel=Channel.EMAIL, lane=Lane.NORMAL, attempt=0)


def _finish(id: UUID) -> Finish:
    return Finish(id=id, lease_token=uuid4(), attempt=1, transition=SUCCEED, provider="smtp")


@asynccontextmanager
async def _following(stores: Stores) -> AsyncIterator[Any]:
    async with stores.database._follower.connect() as connection:  # noqa: SLF001
        yield (await connection.get_raw_connection()).driver_connection


async def _run(stores: Stores, statement: str) -> None:
    async with stores.database._writer.begin() as connection:  # noqa: SLF001
        # The server may be analysing the table by itself just now.
        await connection.execute(text("SET LOCAL lock_timeout = '60s'"))
        await connection.execute(text(statement))


async def _be_small(stores: Stores, how: str) -> None:
    count, _, what = how.partition(" ")
    if not count.isdigit():
        await _run(stores, how)
        return
    if what.endswith("emptied"):
        await _empty(stores, times_moved=int(count), is_analysed_before=what != "emptied")
        return
    for _ in range(int(count)):
        await stores.ended(SUCCEED)
    # What all may see need not be fetched from the table: other plans look cheap then.
    await stores.maintain(f"{'VACUUM ' if what else ''}ANALYZE notifications")


async def _empty(stores: Stores, *, times_moved: int = 0, is_analysed_before: bool = False) -> None:
    """Leave a table that is known to have many pages, and nothing in them.

    Analysed before, what is known of its values is from when it had many.
    """
    await stores.accept_many(BACKLOG)
    for _ in range(times_moved):
        await _run(stores, "UPDATE notifications SET relay_at = relay_at + interval '1 s'")
    if is_analysed_before:
        await _run(stores, "ANALYZE notifications")
    await _run(stores, "DELETE FROM notifications")
    await stores.maintain("VACUUM (TRUNCATE FALSE) notifications")
    if not is_analysed_before:
        await _run(stores, "ANALYZE notifications")


@pytest.fixture
async def fresh_url(postgres_store_url: str) -> AsyncIterator[str]:
    """A database of which the server knows what the test tells it, and nothing from before."""
    async with open_stores(postgres_store_url) as stores:
        await _run(stores, "TRUNCATE notifications")
        await _run(stores, "ALTER TABLE notifications SET (autovacuum_enabled = off)")
        yield postgres_store_url
        await _run(stores, "ALTER TABLE notifications RESET (autovacuum_enabled)")


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
@pytest.mark.parametrize("small", _WHILE_SMALL)
async def test_a_plan_from_when_a_table_was_small_reads_no_more_when_it_is_large(
    fresh_url: str, small: str, mode: str
) -> None:
    async with open_stores(fresh_url) as stores, session_of(stores) as session:
        await _be_small(stores, _WHILE_SMALL[small])
        cases = _cases([uuid4() for _ in range(ROWS)])
        await session.execute(f"SET plan_cache_mode = {mode}")
        for name, case in cases.items():
            statement, values = case.named()
            await session.execute(f"PREPARE {name}_ AS {statement}")
            async with session.transaction():
                await _go_before(session, name, cases)
                await session.execute(f"EXPLAIN EXECUTE {name}_ {values}")
        await stores.accept_many(BACKLOG)

        for state in ("pending", "processing", "failed"):
            await _run(stores, _TURNED.format(state))
            for name, case in cases.items():
                plan = await _explained(session, name, case, cases)
                read = max(map(rows_read, nodes(plan)))
                assert read <= LIMIT * ROWS, f"{name} of {state}: {plan}"
                assert _blocks(plan) <= PAGES * ROWS, f"{name} of {state}: {plan}"
        for name in cases:
            await session.execute(f"DEALLOCATE {name}_")


async def _explained(session: Any, name: str, case: Case, cases: dict[str, Case]) -> dict[str, Any]:
    """Run a statement, and undo what it did; returns how PostgreSQL went about it."""
    transaction = session.transaction()
    await transaction.start()
    await _go_before(session, name, cases)
    explained = await session.fetchval(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE {name}_ {case.named()[1]}"
    )
    await transaction.rollback()
    plan: dict[str, Any] = explained[0]["Plan"]
    return plan


async def _go_before(session: Any, name: str, cases: dict[str, Case]) -> None:
    """Run what goes before a statement in its transaction, and sets something for it."""
    if earlier := _AFTER.get(name):
        await session.execute(f"EXECUTE {earlier}_ {cases[earlier].named()[1]}")


def _blocks(node: dict[str, Any]) -> int:
    return int(node["Shared Hit Blocks"] + node["Shared Read Blocks"])


async def test_given_rows_are_not_compared_with_one_another(stores: Stores) -> None:
    if not stores.url.startswith("postgresql"):
        return
    submissions = await stores.accept_many(ROWS)
    claims = [await stores.claim(envelope_of(each)) for each in submissions]
    ends = joined(finish_row(an_end(each, SUCCEED)) for each in claims if each)
    rows = joined(envelope_row(envelope_of(each)) for each in await stores.accept_many(ROWS))
    async with session_of(stores) as session:
        for case in (
            Case(publications._MARK_PUBLISHED.statement, {"rows": rows, "lost_after_s": 600}),  # noqa: SLF001
            Case(finishing._FINISH.statement, {"rows": ends, "misses": "[]", "grace_s": 5}),  # noqa: SLF001
            Case(inserting.INSERT_NEW.statement, {**_requests(), "grace_s": 5}),
        ):
            statement, values = case.named()
            # A pooler's session has our settings in transactions only.
            async with session.transaction():
                await session.execute(f"PREPARE compared AS {statement}")
                explained = await session.fetchval(
                    f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE compared {values}"
                )
                await session.execute("DEALLOCATE compared")
            plan = explained[0]["Plan"]
            assert max(map(rows_read, nodes(plan))) <= LIMIT * ROWS, explained


@pytest.mark.parametrize("is_emptied", [False, True])
async def test_what_may_be_lost_is_found_without_reading_what_is_not(
    postgres_store_url: str,
    is_emptied: bool,  # noqa: FBT001
) -> None:
    async with open_stores(postgres_store_url) as stores, session_of(stores) as session:
        if is_emptied:
            await _empty(stores)
        envelopes = [envelope_of(each) for each in await stores.accept_many(BACKLOG)]
        await stores.publications.mark_published(envelopes[:ROWS])
        await stores.pass_time(10 * LOST_AFTER_S)
        await stores.publications.mark_published(envelopes[ROWS:])
        queues = joined([encode({"channel": Channel.EMAIL, "lane": Lane.NORMAL})])
        parameters = {"limit": ROWS, "hold_s": 10, "empty": queues}
        statement, values = Case(upkeep._TAKE_LOST, parameters).named()  # noqa: SLF001
        await session.execute(f"PREPARE lost_ AS {statement}")

        explained = await session.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE lost_ {values}")
        await session.execute("DEALLOCATE lost_")

        assert explained[0]["Plan"]["Actual Rows"] == ROWS
        assert max(map(rows_read, nodes(explained[0]["Plan"]))) <= LIMIT * ROWS


async def test_what_is_due_is_not_looked_for_among_what_others_have(
    postgres_store_url: str,
) -> None:
    async with open_stores(postgres_store_url) as stores, session_of(stores) as session:
        await stores.accept(a_submission(service="a"))
        await stores.intake.insert([a_submission(service="b") for _ in range(BACKLOG)])
        await _run(
            stores, "UPDATE notifications SET relay_at = now() - random() * interval '1 hour'"
        )
        await _run(stores, "ANALYZE notifications")
        line = {"of_channel": "email", "of_lane": "normal", "of_service": "a"}
        case = Case(due._TAKE, {**line, "limit": ROWS, "hold_s": 10})  # noqa: SLF001
        statement, values = case.named()
        await session.execute(f"PREPARE take_ AS {statement}")
        async with session.transaction():
            explained = await session.fetchval(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE take_ {values}"
            )
        await session.execute("DEALLOCATE take_")

    (scan,) = [
        each
        for each in nodes(explained[0]["Plan"])
        if each.get("Index Name") == "ix_notifications_turns"
    ]
    assert scan["Actual Rows"] == 1
    assert scan["Shared Hit Blocks"] + scan["Shared Read Blocks"] <= PAGES, explained


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
@pytest.mark.parametrize("small", [*_WHILE_SMALL, "no events"])
async def test_a_page_of_the_feed_reads_what_it_holds_and_little_else(
    postgres_store_url: str, small: str, mode: str
) -> None:
    async with open_stores(postgres_store_url) as stores, _following(stores) as session:
        await _be_small(stores, _WHILE_SMALL.get(small, "0 emptied"))
        if small == "no events":
            await _run(stores, "DELETE FROM notification_events")
        await stores.maintain("ANALYZE notification_events")
        page: dict[str, object] = {"cursor": 0, "through": 0, "limit": ROWS}
        cases = {
            "page": Case(feed._AFTER, page),  # noqa: SLF001
            "look": Case(feed._LOOK, {}),  # noqa: SLF001
            "behind": Case(feed._BEHIND, page),  # noqa: SLF001
        }
        await session.execute(f"SET plan_cache_mode = {mode}")
        for name, case in cases.items():
            statement, values = case.named()
            await session.execute(f"PREPARE {name}_ AS {statement}")
            await session.execute(f"EXPLAIN EXECUTE {name}_ {values}")
        await stores.accept_many(BACKLOG)
        end = (await stores.feed.after(START, 1_000_000)).goes_on_after
        page |= {"cursor": end - BACKLOG // 2, "through": end}

        for name, rows in {"page": ROWS, "look": 1, "behind": 1}.items():
            _, values = cases[name].named()
            explained = await session.fetchval(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE {name}_ {values}"
            )
            plan = explained[0]["Plan"]
            events = [each for each in nodes(plan) if "notification" in str(each.get("Index Name"))]
            assert all(rows_read(each) <= rows for each in events), explained
            blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
            assert blocks <= PAGES * rows, f"{name}: {explained}"
        for name in cases:
            await session.execute(f"DEALLOCATE {name}_")
