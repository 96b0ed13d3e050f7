"""Sessions that are not as they were left: they are replaced, and told of."""

import asyncio
from urllib.parse import urlsplit

import asyncpg
import pytest

from notifier.errors import StoreUnavailableError
from notifier.store.kit import sessions
from notifier.store.kit.lines import Lines
from notifier.store.upgrading import upgrade
from tests.contract.store.stores import Stores, open_stores
from tests.patience import USUAL


async def spoil(stores: Stores, statement: str) -> None:
    """Run a statement in the session that is used next."""
    lines = stores.database._direct  # noqa: SLF001
    assert isinstance(lines, Lines)
    async with lines._line() as line:  # noqa: SLF001
        await line.driver.execute(statement)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DEALLOCATE ALL", "its session has lost its statements"),
        ("SET default_transaction_read_only = on", "it is read-only"),
    ],
)
async def test_a_session_that_is_not_as_it_was_is_told_once_and_replaced(
    postgres_store_url: str, statement: str, told: str
) -> None:
    async with open_stores(postgres_store_url) as stores:
        await stores.accept()
        await spoil(stores, statement)

        with pytest.raises(StoreUnavailableError, match=told):
            await stores.accept()
        await stores.accept()


async def test_a_connection_that_is_given_up_while_it_is_looked_at_is_closed(
    postgres_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[asyncpg.Connection[asyncpg.Record]] = []

    async def look(connection: "asyncpg.Connection[asyncpg.Record]") -> bool:
        looked_at.append(connection)
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(sessions, "_is_of_one_session", look)
    async with open_stores(postgres_store_url, USUAL) as stores:
        with pytest.raises(StoreUnavailableError):
            await stores.queries.ping()

    assert [connection.is_closed() for connection in looked_at] == [True]


async def test_an_upgrade_says_that_a_database_is_read_only(postgres_url: str) -> None:
    await upgrade(postgres_url)
    connection = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    name = urlsplit(postgres_url).path.removeprefix("/")
    try:
        await connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    finally:
        await connection.close()

    with pytest.raises(StoreUnavailableError, match="it is read-only"):
        await upgrade(postgres_url)
