import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.errors import (
    NotifierError,
    SchemaError,
    StoreRefusedError,
    StoreTooSlowError,
    StoreUnavailableError,
)
from notifier.idempotency import Applied
from notifier.notification.reading import NotificationFilter
from notifier.notification.transitions import DELIVER, SUCCEED
from notifier.providers.receipt import Receipt
from notifier.store.kit.database import ANSWER_TIMEOUT_S
from notifier.store.upgrading import upgrade
from tests.awake import awake_clock
from tests.contract.store.proxy import linked
from tests.contract.store.stores import (
    Stores,
    a_message,
    a_submission,
    an_end,
    envelope_of,
    open_stores,
)
from tests.patience import AT_ALL_S, HASTY, USUAL
from tests.servers.postgres import Postgres, private_postgres


async def refusals(calls: list[Awaitable[object]]) -> list[type]:
    """How each call ended, if none waited as long as two time-outs."""
    with awake_clock() as awake:
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert awake.monotonic_s() < 2 * ANSWER_TIMEOUT_S
    return [type(result) for result in results]


def every_call(stores: Stores) -> list[Awaitable[object]]:
    submission = a_submission()
    a_receipt = Receipt(provider="twilio", event_id="1", id=submission.id, transition=DELIVER)
    return [
        *(stores.intake.insert([a_submission()]) for _ in range(40)),
        stores.publications.mark_published([envelope_of(submission)]),
        stores.claim(envelope_of(submission)),
        stores.upkeep.take_due(10, hold_s=1),
        stores.leases.snoozes(submission.id),
        stores.queries.get(submission.id, service=None),
        stores.queries.list(NotificationFilter(), service=None, limit=9, after=None),
        stores.queries.account(service=None),
        stores.queries.ping(),
        stores.queries.schema_problem(),
        stores.keys.find("k"),
        stores.inbox.deliver(a_message(submission)),
        stores.inbox.heads([("orders", "ada")]),
        stores.captures.add(a_message(submission)),
        stores.providers.states(),
        stores.providers.put_off(),
        stores.providers.throttle("smtp", for_s=1),
        stores.providers.reserve("smtp", rate_per_s=1, patience_s=1),
        stores.receipts.apply([a_receipt]),
        stores.suppress(submission),
    ]


async def test_a_silent_database_is_given_up_and_found_again(postgres_store_url: str) -> None:
    async with linked(postgres_store_url) as (url, link), open_stores(url, USUAL) as stores:
        await _until_it_accepts(stores)
        link.passes.clear()

        for _ in range(2):
            assert set(await refusals(every_call(stores))) == {StoreUnavailableError}

        link.passes.set()
        await _until_it_accepts(stores)


async def test_a_cut_link_is_mended(postgres_store_url: str) -> None:
    async with linked(postgres_store_url) as (url, link), open_stores(url) as stores:
        await stores.accept()
        link.cut()

        await _until_it_accepts(stores)


async def _until_it_accepts(stores: Stores) -> None:
    async with asyncio.timeout(AT_ALL_S):
        while True:
            try:
                await stores.accept()
            except StoreUnavailableError:
                await asyncio.sleep(0.05)  # a pause between two tries, not a wait for something
            else:
                return


@pytest.fixture(scope="module")
def mortal_postgres() -> Iterator[Postgres]:
    """A server that tests may end, and start again."""
    with private_postgres() as server:
        yield server


@pytest.fixture
async def mortal_url(mortal_postgres: Postgres) -> str:
    url = await asyncio.to_thread(mortal_postgres.create_database)
    await upgrade(url)
    return url


async def test_a_stopped_server_is_away_and_comes_back(
    mortal_postgres: Postgres, mortal_url: str
) -> None:
    async with open_stores(mortal_url, USUAL) as stores:
        claimed = await stores.claimed()

        await asyncio.to_thread(mortal_postgres.kill)
        assert set(await refusals(every_call(stores))) == {StoreUnavailableError}
        assert await refusals([stores.leases.finish(an_end(claimed, SUCCEED))]) == [
            StoreUnavailableError
        ]

        await asyncio.to_thread(mortal_postgres.start)
        assert await stores.leases.finish(an_end(claimed, SUCCEED))
        assert await stores.intake.insert([a_submission()]) == Applied()


@pytest.mark.parametrize("trusted_s", [0.0, 60.0])
async def test_a_restart_of_the_server_costs_nobody_an_error(
    monkeypatch: pytest.MonkeyPatch,
    mortal_postgres: Postgres,
    mortal_url: str,
    trusted_s: float,
) -> None:
    monkeypatch.setattr("notifier.store.kit.freshness._TRUSTED_S", trusted_s)
    async with open_stores(mortal_url) as stores:
        calls: list[Callable[[], Awaitable[object]]] = [stores.accept, stores.queries.ping] * 4
        await asyncio.gather(*(call() for call in calls))

        await asyncio.to_thread(mortal_postgres.stop)
        await asyncio.to_thread(mortal_postgres.start)

        await asyncio.gather(*(call() for call in calls))


async def test_an_outage_lasts_until_others_than_a_probe_are_served(stores: Stores) -> None:
    async def miss(connection: AsyncConnection) -> None:
        await connection.execute(text("DELETE FROM what_there_is_not"))

    with pytest.raises(SchemaError) as missing:
        await stores.database.write(miss)

    outage = await stores.queries.outage()
    assert outage is not None
    assert outage.reason == str(missing.value)

    await stores.accept()
    assert await stores.queries.outage() is None


async def test_cancelled_calls_leak_no_connection(stores: Stores) -> None:
    calls: list[Callable[[], Awaitable[object]]] = [
        stores.queries.ping,
        lambda: stores.queries.account(service=None),
        stores.accept,
        lambda: stores.upkeep.take_due(10, hold_s=1),
        lambda: stores.upkeep.expire(10),
    ]
    for number in range(60):
        task = asyncio.ensure_future(calls[number % len(calls)]())
        for _ in range(number % 12):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    await asyncio.gather(*(stores.queries.ping() for _ in range(30)))
    await asyncio.gather(*(stores.accept() for _ in range(30)))
    database = stores.database
    engines = (database._writer, database._reader, database._searcher)  # noqa: SLF001
    assert [engine.pool.checkedout() for engine in engines] == [0, 0, 0]  # type: ignore[attr-defined]


async def test_a_slow_statement_is_ended_by_the_server_first(postgres_store_url: str) -> None:
    async def sleep(connection: AsyncConnection) -> None:
        await connection.execute(text("SELECT pg_sleep(30)"))

    async with open_stores(postgres_store_url, HASTY) as stores:
        with pytest.raises(StoreTooSlowError, match="57014"):
            await stores.database.read(sleep)


async def test_searches_however_many_leave_room_for_everything_else(
    postgres_store_url: str,
) -> None:
    async def sleep(connection: AsyncConnection) -> None:
        await connection.execute(text("SELECT pg_sleep(30)"))

    async with open_stores(postgres_store_url) as stores:
        await stores.accept()
        searches = [asyncio.create_task(stores.database.search(sleep)) for _ in range(40)]
        await asyncio.wait(searches, timeout=0.2)
        await asyncio.gather(*(stores.accept() for _ in range(20)), stores.queries.ping())

        assert not any(each.done() for each in searches)
        for each in searches:
            each.cancel()
        await asyncio.wait(searches)


async def test_an_error_text_never_quotes_what_was_stored(stores: Stores) -> None:
    known = await stores.accept()

    with pytest.raises(StoreRefusedError) as caught:
        await stores.intake.insert([known])

    error: BaseException | None = caught.value
    assert error is not None
    assert error.__suppress_context__
    assert error.__cause__ is None
    assert known.content is not None
    for secret in (known.recipient, known.content, known.id.hex, str(known.id)):
        assert secret not in repr(error)


async def test_a_file_that_cannot_be_used_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database at all" * 100)

    for url in (f"sqlite:///{path}", f"sqlite:///{tmp_path}/missing/notifier.db"):
        async with open_stores(url) as stores:
            with pytest.raises(NotifierError) as caught:
                await stores.accept()
            assert type(caught.value) is StoreUnavailableError


@pytest.mark.parametrize("database", ["no_such_database"])
async def test_a_database_that_does_not_exist_is_unavailable(
    postgres_store_url: str, database: str
) -> None:
    url = f"{postgres_store_url.rpartition('/')[0]}/{database}"

    async with open_stores(url) as stores:
        with pytest.raises(StoreUnavailableError):
            await stores.queries.ping()
