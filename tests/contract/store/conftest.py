from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.contract.store.emptied import Emptied, emptied
from tests.contract.store.stores import Stores, open_stores
from tests.schema import postgres_database, sqlite_database
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres


@pytest.fixture
def sqlite_store_url(tmp_path: Path) -> str:
    """The URL of an up-to-date SQLite file of the test's own."""
    return sqlite_database(tmp_path / "notifier.db")


@pytest.fixture(scope="session")
def postgres_store(postgres: Postgres) -> Iterator[Emptied]:
    with postgres_database(postgres) as url, emptied(url) as database:
        yield database


@pytest.fixture
def postgres_store_url(postgres_store: Emptied) -> str:
    """The URL of an up-to-date PostgreSQL database, emptied for the test."""
    return postgres_store.url()


@pytest.fixture
def pooled_store_url(postgres_store_url: str, pgbouncer: PgBouncer) -> str:
    """The same database, through a pooler in transaction mode."""
    return pgbouncer.url(postgres_store_url)


@pytest.fixture(params=["sqlite", "postgres", "pooled"])
def store_url(request: pytest.FixtureRequest) -> str:
    """The URL of an up-to-date database: every test that takes it runs over all of them."""
    return str(request.getfixturevalue(f"{request.param}_store_url"))


@pytest.fixture
async def stores(store_url: str) -> AsyncIterator[Stores]:
    """Everything over that database, as one process has it."""
    async with open_stores(store_url) as opened:
        yield opened
