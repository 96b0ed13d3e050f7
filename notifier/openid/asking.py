"""Asking an identity provider over HTTP."""

import json
import ssl
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from notifier.access.openid import IdentityError

_TIMEOUT_S: Final = 8
_MAX_BYTES: Final = 500_000
_HEADERS: Final = {"Accept": "application/json"}


class Asker:
    """Asks for JSON objects; follows no redirect, and reads half a megabyte at most."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return what is there.

        Raises:
            IdentityError: it is not to be had.
        """
        return await self._ask("GET", url, headers or {}, None)

    async def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return what a form is answered. Raises as `get`."""
        return await self._ask("POST", url, headers, form)

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> dict[str, Any]:
        connector = aiohttp.TCPConnector(ssl=self._tls or True)
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
                ) as session,
                session.request(
                    method, url, headers={**_HEADERS, **headers}, data=form, allow_redirects=False
                ) as response,
            ):
                return await _object(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            why = f"the identity provider cannot be reached ({type(error).__name__})"
            raise IdentityError(why) from None


async def _object(response: aiohttp.ClientResponse) -> dict[str, Any]:
    told = _read(await _body(response))
    if response.status != 200:  # noqa: PLR2004
        error = told.get("error")
        word = error if isinstance(error, str) and error.isascii() and error.isprintable() else ""
        raise IdentityError(f"the identity provider answers {response.status} {word[:80]}".strip())
    return told


async def _body(response: aiohttp.ClientResponse) -> bytes:
    read = bytearray()
    async for chunk in response.content.iter_any():
        read += chunk
        if len(read) > _MAX_BYTES:
            raise IdentityError("the identity provider says more than it should")
    return bytes(read)


def _read(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
