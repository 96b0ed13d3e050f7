"""Getting the little that SNS's messages point to, over HTTPS."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import aiohttp
from yarl import URL

from notifier.errors import UncheckedError

_OK = 200


class Fetch(Protocol):
    """Gets what a URL names, whose host the caller has checked."""

    async def __call__(self, url: str, /) -> bytes:
        """Return the body of its 200.

        Raises:
            UncheckedError: it cannot be had for now.
        """


class HttpsFetch:
    """Fetches once, within `timeout_s`, `max_bytes` at most; follows no redirect."""

    def __init__(
        self,
        connector: Callable[[], aiohttp.BaseConnector] = aiohttp.TCPConnector,
        *,
        timeout_s: float = 4,
        max_bytes: int = 16 * 1024,
    ) -> None:
        self._connector = connector
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes

    async def __call__(self, url: str, /) -> bytes:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._get(URL(url, encoded=True))
        except (aiohttp.ClientError, OSError) as error:
            reason = f"SNS cannot be reached from here: {type(error).__name__}"
            raise UncheckedError(reason) from error

    async def _get(self, url: URL) -> bytes:
        # So rarely that a connection is not worth keeping.
        async with (
            aiohttp.ClientSession(
                connector=self._connector(),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
            ) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            if response.status != _OK:
                raise UncheckedError(f"SNS answers {response.status}")
            return await self._read(response.content)

    async def _read(self, content: aiohttp.StreamReader) -> bytes:
        read = bytearray()
        async for chunk in content.iter_any():
            read += chunk
            if len(read) > self._max_bytes:
                raise UncheckedError("SNS answers more than it should")
        return bytes(read)
