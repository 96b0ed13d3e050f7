"""A database's host whose name has several addresses: each of them is tried."""

import socket
from collections.abc import Sequence

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.errors import StoreUnavailableError
from notifier.store.kit import reaching
from notifier.store.kit.database import Patience
from notifier.store.kit.opening import open_database
from notifier.store.upgrading import upgrade
from tests.contract.store.stores import open_stores
from tests.patience import PATIENT, USUAL
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.pgbouncer import private_pgbouncer
from tests.servers.postgres import Postgres

NAME = "db.example"
FIRST, SECOND = "127.0.0.2", "127.0.0.1"


@pytest.fixture(autouse=True)
def _both(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(_: str) -> Sequence[str]:
        return [FIRST, SECOND]

    monkeypatch.setattr(reaching, "addresses_of", resolve)


def named(url: str, name: str = NAME, **query: str) -> str:
    there = make_url(url).set(host=name).update_query_dict(query)
    return there.render_as_string(hide_password=False)


async def value(url: str, query: str, patience: Patience = PATIENT) -> object:
    async def ask(connection: AsyncConnection) -> object:
        return (await connection.execute(text(query))).scalar()

    async with open_database(url, patience) as database:
        return await database.read(ask)


async def test_one_that_refuses_is_passed_over(postgres_store_url: str) -> None:
    url = named(postgres_store_url)

    await upgrade(url)
    async with open_stores(url) as stores:
        await stores.accept()


async def test_one_that_hangs_is_passed_over_within_the_time_for_an_answer(
    postgres_url: str,
) -> None:
    # The kernel takes connections that nobody accepts.
    with socket.create_server((FIRST, make_url(postgres_url).port or 5432)):
        assert await value(named(postgres_url), "SELECT 1", USUAL) == 1


async def test_of_several_the_first_that_takes_writes_is_used_unless_another_is_asked_for(
    postgres_url: str,
) -> None:
    read_only = named(postgres_url, options="-c default_transaction_read_only=on")

    with pytest.raises(StoreUnavailableError, match="no host takes writes"):
        await value(read_only, "SELECT 1")
    assert await value(named(read_only, target_session_attrs="any"), "SELECT 1") == 1


async def test_an_address_that_is_written_as_such_is_taken_as_it_is(postgres_url: str) -> None:
    assert await value(postgres_url, "SELECT 1") == 1


async def test_a_certificate_has_to_name_the_host_and_not_its_address(
    postgres: Postgres, postgres_url: str, certificates: Certificates
) -> None:
    verified = {"sslmode": "verify-full", "sslrootcert": str(certificates.authority)}
    with private_pgbouncer(postgres.admin_url, certificates=certificates) as pooler:
        through = pooler.url(postgres_url)

        assert await value(named(through, "localhost", **verified), "SELECT 1") == 1
        with pytest.raises(StoreUnavailableError, match="of another host"):
            await value(named(through, "other.example", **verified), "SELECT 1")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))
