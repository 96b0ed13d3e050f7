"""A pooler between notifier and PostgreSQL is found by itself, and nothing is left in a session."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.errors import SettingsError, StoreUnavailableError
from notifier.store.kit.database import Database
from notifier.store.kit.opening import open_database
from notifier.store.upgrading import upgrade
from tests.contract.store.stores import a_submission, open_stores
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.pgbouncer import PgBouncer, private_pgbouncer
from tests.servers.postgres import Postgres

_IGNORING = (
    "ignore_startup_parameters = application_name,statement_timeout,lock_timeout,"
    "idle_in_transaction_session_timeout,jit,enable_seqscan,enable_hashjoin,enable_mergejoin"
)


@pytest.fixture(scope="module")
def ignoring(postgres: Postgres) -> Iterator[PgBouncer]:
    """A pooler that takes settings of a session, and loses them."""
    with private_pgbouncer(postgres.admin_url, more=_IGNORING) as pooler:
        yield pooler


@pytest.fixture(scope="module")
def whole(postgres: Postgres) -> Iterator[PgBouncer]:
    """A pooler in session mode: a connection has a session until it ends."""
    more = "pool_mode = session\ndefault_pool_size = 40"
    with private_pgbouncer(postgres.admin_url, more=more) as pooler:
        yield pooler


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def encrypted(postgres: Postgres, certificates: Certificates) -> Iterator[PgBouncer]:
    with private_pgbouncer(postgres.admin_url, certificates=certificates) as pooler:
        yield pooler


async def value(database: Database, query: str) -> object:
    async def ask(connection: AsyncConnection) -> object:
        return (await connection.execute(text(query))).scalar()

    return await database.read(ask)


_TIMEOUT = "SELECT current_setting('statement_timeout')"
_STATEMENTS = "SELECT count(*) FROM pg_prepared_statements"


@pytest.mark.parametrize("kind", ["pgbouncer", "ignoring", "whole"])
async def test_nothing_is_left_in_a_session_that_others_get(
    kind: str, request: pytest.FixtureRequest, postgres_store_url: str
) -> None:
    pooler: PgBouncer = request.getfixturevalue(kind)

    async with open_database(pooler.url(postgres_store_url)) as database:
        for _ in range(20):
            assert await value(database, _TIMEOUT) == "2s"
            assert await value(database, _STATEMENTS) == 0
    async with open_database(f"{pooler.url(postgres_store_url)}?pgbouncer=true") as database:
        reads = [value(database, "SELECT count(*) FROM notifications") for _ in range(40)]
        assert await asyncio.gather(*reads) == [0] * 40


async def test_a_direct_connection_keeps_its_settings_and_statements(
    postgres_store_url: str,
) -> None:
    async with open_database(postgres_store_url) as database:
        for _ in range(3):
            assert await value(database, _TIMEOUT) == "2s"
        assert await value(database, _STATEMENTS) not in (0, 1)


async def test_options_of_the_url_hold_in_each_statement(
    pgbouncer: PgBouncer, postgres_url: str
) -> None:
    options = "options=-c%20search_path%3Dapart%20-c%20statement_timeout%3D1500"
    through, direct = f"{pgbouncer.url(postgres_url)}?{options}", f"{postgres_url}?{options}"
    async with open_database(postgres_url) as database:
        await database.write(lambda connection: connection.execute(text("CREATE SCHEMA apart")))

    await upgrade(through)

    for url in (through, direct):
        async with open_stores(url) as stores:
            await stores.accept(a_submission())
            for _ in range(8):
                assert await value(stores.database, "SELECT current_schema()") == "apart"
                assert await value(stores.database, _TIMEOUT) == "1500ms"
    async with open_database(direct) as database:
        assert await value(database, "SELECT count(*) FROM apart.notifications") == 2


async def test_upgrades_at_once_wait_for_one_another_behind_a_pooler(
    pgbouncer: PgBouncer, postgres_url: str
) -> None:
    url = pgbouncer.url(postgres_url)

    await asyncio.gather(*(upgrade(url) for _ in range(3)))

    async with open_stores(url) as stores:
        assert await stores.queries.schema_problem() is None


@pytest.mark.parametrize(
    "parameter", ["options=-cno.such%3D1%20-cno_such%3D1", "options=-cjit%3Dx"]
)
async def test_a_setting_that_the_server_refuses_is_told_in_one_line(
    parameter: str, postgres_url: str
) -> None:
    async with open_database(f"{postgres_url}?{parameter}") as database:
        with pytest.raises(SettingsError, match="NOTIFIER_DATABASE_URL: the server refuses"):
            await value(database, "SELECT 1")


async def test_a_server_s_certificate_is_judged_as_the_url_says(
    encrypted: PgBouncer, postgres_url: str, certificates: Certificates, tmp_path: Path
) -> None:
    other = make_certificates(tmp_path).authority
    by_address = encrypted.url(postgres_url)
    by_name = make_url(by_address).set(host="localhost").render_as_string(hide_password=False)
    trusted = [
        by_address,
        f"{by_address}?sslmode=require",
        f"postgres{by_address.removeprefix('postgresql')}?ssl=true",
        f"{by_address}?sslmode=verify-ca&sslrootcert={certificates.authority}",
        f"{by_name}?sslmode=verify-full&sslrootcert={certificates.authority}",
        f"{by_name}?sslmode=require&channel_binding=require&sslrootcert={certificates.authority}",
    ]
    untrusted = [
        f"{by_address}?sslmode=disable",
        f"{by_address}?sslmode=verify-ca&sslrootcert={other}",
        f"{by_address}?sslmode=require&sslrootcert={other}",
        f"{by_name}?sslmode=verify-full",
        f"{by_name}?sslrootcert=system",
        f"{by_name}?sslmode=require&channel_binding=require",
    ]

    for url in trusted:
        async with open_database(url) as database:
            assert await value(database, "SELECT 1") == 1
    for url in untrusted:
        async with open_database(url) as database:
            with pytest.raises(StoreUnavailableError):
                await value(database, "SELECT 1")


async def test_the_first_of_several_hosts_that_writes_is_used(
    postgres_store_url: str,
) -> None:
    away = "127.0.0.1:1"
    url = make_url(postgres_store_url)
    there = f"{url.username}:{url.password}@{away},{url.host}:{url.port}/{url.database}"

    async with open_stores(f"postgresql://{there}") as stores:
        await stores.accept(a_submission())
