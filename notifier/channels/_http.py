"""Asking over HTTP, telling apart what was never sent and what may have arrived."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace

import aiohttp

from notifier.channels._outcomes import Answer
from notifier.notification.outcomes import Transient, Unknown

_MAX_ANSWER_BYTES = 20_000


@dataclass(slots=True)
class _Request:
    """One request; `is_on_its_way` from just before its first byte is written."""

    is_on_its_way: bool = False


class HttpPoster:
    """One kept session; connects at the first request, which needs a running loop.

    Verifies certificates by `tls`, or as the system does.
    """

    def __init__(
        self, *, timeout_s: float, max_connections: int, tls: ssl.SSLContext | None = None
    ) -> None:
        self._timeout_s = timeout_s
        self._tls = tls
        self._max_connections = max_connections
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer | Transient | Unknown:
        """Post once and return the answer, or why there is none, within the time-out.

        Follows no redirect. Of a long answer the first 20,000 bytes are read; an answer whose
        body breaks off counts with what came of it.
        """
        return await self._ask("POST", url, body, headers)

    async def get(self, url: str, headers: Mapping[str, str]) -> Answer | Transient | Unknown:
        """Get once; as `post`."""
        return await self._ask("GET", url, None, headers)

    async def close(self) -> None:
        """Close the connections; nothing is sent from then on."""
        self._is_closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _ask(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer | Transient | Unknown:
        if self._is_closed:
            return Transient("closed", "not sent: the adapter is closed")
        request = _Request()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(method, url, body, headers, request)
        # A value, whatever a peer or the library comes up with.
        except Exception as error:  # noqa: BLE001
            return _explain(error, request)

    async def _exchange(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        request: _Request,
    ) -> Answer:
        async with self._opened().request(
            method,
            url,
            data=body,
            headers=headers,
            allow_redirects=False,
            trace_request_ctx=request,
        ) as response:
            text = await _read(response)
            return Answer(
                response.status, {k.lower(): v for k, v in response.headers.items()}, text
            )

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(_note_departure)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._max_connections, ssl=self._tls or True),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[trace],
            )
        return self._session


async def _note_departure(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _params: aiohttp.TraceRequestHeadersSentParams,
) -> None:
    context.trace_request_ctx.is_on_its_way = True


async def _read(response: aiohttp.ClientResponse) -> str:
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            if size >= _MAX_ANSWER_BYTES:
                break
    except (aiohttp.ClientError, OSError):
        pass
    return b"".join(chunks)[:_MAX_ANSWER_BYTES].decode(errors="replace")


def _explain(error: Exception, request: _Request) -> Transient | Unknown:
    code = _code(error)
    if request.is_on_its_way:
        return Unknown(code, "the link broke after the request was on its way")
    return Transient(code, f"not sent: {type(error).__name__}")


def _code(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "timeout"
        case aiohttp.ClientConnectorDNSError():
            return "dns"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return "tls"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return "connection_refused"
        case aiohttp.ClientError() | OSError():
            return "connection_lost"
        case _:
            return "unexpected"
