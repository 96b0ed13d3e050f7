"""What keeps notifier from its database is told in words, in one line and without a secret."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import make_url

from notifier.errors import StoreUnavailableError
from tests.contract.store.stores import open_stores
from tests.servers.processes import LOOPBACK

SECRET = "canary-493021"


@pytest.mark.parametrize(
    ("changes", "query", "told"),
    [
        ({"database": "nosuch"}, "", "there is no such database"),
        ({"password": SECRET}, "", "the password is wrong"),
        ({"username": "nobody"}, "", "the password is wrong"),
        ({"port": 1}, "", "nothing listens at its address"),
        ({"host": "no.such.host.invalid"}, "", "its host's name is not known"),
        ({}, "?sslmode=require", "it offers no TLS"),
        ({}, "?target_session_attrs=standby", "no host takes writes"),
        ({}, "?host=/no/such/folder", "there is no such socket"),
    ],
)
async def test_why_the_database_is_away_is_told(
    changes: dict[str, str | int], query: str, told: str, postgres_store_url: str
) -> None:
    there = make_url(postgres_store_url).set(**changes)  # type: ignore[arg-type]  # as various
    url = there.render_as_string(hide_password=False) + query

    async with open_stores(url) as stores:
        with pytest.raises(StoreUnavailableError) as caught:
            await stores.queries.ping()

    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(make_url(postgres_store_url).password) not in str(caught.value)
    assert SECRET not in str(caught.value)


async def test_a_proxy_with_nothing_behind_it_is_not_said_to_lack_tls(
    postgres_store_url: str,
) -> None:
    async with proxy_to_nothing() as port:
        url = make_url(postgres_store_url).set(host=LOOPBACK, port=port)
        async with open_stores(url.render_as_string(hide_password=False)) as stores:
            with pytest.raises(StoreUnavailableError, match="it ended the connection"):
                await stores.queries.ping()


@asynccontextmanager
async def proxy_to_nothing() -> AsyncIterator[int]:
    async def end(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(end, LOOPBACK, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
