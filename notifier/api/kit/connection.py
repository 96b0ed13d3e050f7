"""One connection: uvicorn's protocol, with bounds in front of its parser.

A head is bounded by count, size and time; what a client sends beyond is answered with a problem,
where that is still possible, and not kept. What is read and not kept is bounded too.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from notifier.api.kit.door import Door, Place
from notifier.api.kit.problems import (
    HEAD_TIMEOUT,
    HEAD_TOO_LARGE,
    MALFORMED_REQUEST,
    MEDIA_TYPE,
    UNAVAILABLE,
    URL_TOO_LONG,
    ProblemError,
    problem_body,
)
from notifier.api.kit.rooms import PROBES
from notifier.transport import GatheringTransport

_PROBE_URLS = frozenset(probe.encode() for probe in PROBES)
_BODYLESS = frozenset({"GET", "HEAD"})
_OVERHEAD = 8
"""Bytes around each byte of a body: chunks of one byte have five."""


class _RefusedError(Exception):
    """Ends parsing; what the answer is stands in the connection."""


class Connection(HttpToolsProtocol):
    """A connection that ends when its client takes too long, or sends or asks too much.

    An answer's head and body reach the socket in one write: the second system call, and waking
    the client twice, cost as much as parsing the request.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        door: Door,
        on_refusal: Callable[[ProblemError], None],
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._door = door
        self._on_refusal = on_refusal
        self._limits = door.limits
        self._place = Place.NONE
        self._network: str | None = None
        self._is_known = False
        self._refusal: ProblemError | None = None
        self._is_deaf = False
        self._lingered_bytes: int | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        # Of the request that is being parsed.
        self._in_body = False
        self._has_begun = False
        self._feed_bytes = 0
        self._head_bytes = 0
        self._overhead_bytes = 0
        self._began_in_feed = False
        self._ended_in_feed = False

    # --- what the door asks -----------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""
        cycle = cast(RequestResponseCycle | None, self.cycle)
        return cycle is None or cycle.response_complete

    def shed(self) -> None:
        """End at once."""
        self._door.leave(self, self._network)
        self.transport.abort()

    # --- the transport's calls --------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, _Transport(transport, self._linger)))
        self._network = self._door.network_of(self.client[0] if self.client else "unknown")
        self._place = self._door.enter(self, self._network)
        if self._place is Place.NONE:
            self.transport.abort()
            return
        is_spare = self._place is Place.SPARE
        self._expect(self._limits.spare_head_s if is_spare else self._limits.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.leave(self, self._network)
        self._expect(None)
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_deaf or self._lingered_bytes is not None:
            self._drop(data)
            return
        self._unset_keepalive_if_required()
        self._feed_bytes = len(data)
        self._began_in_feed = self._ended_in_feed = False
        if self._in_body:
            self._overhead_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self._refuse(self._refusal or _malformed())
        except httptools.HttpParserUpgrade:
            # There is nothing to upgrade to: it is answered as if it had not asked.
            pass
        else:
            self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stall is None:
            self._stall = self.loop.call_later(self._limits.stall_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def shutdown(self) -> None:
        if self._lingered_bytes is not None:
            self.transport.abort()
        super().shutdown()

    # --- the parser's calls -----------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._has_begun = self._began_in_feed = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > self._limits.max_url_bytes:
            self._stop_with(_url_too_long(self._limits.max_url_bytes))

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_body:
            # Trailers: they came too late to be of the request that is under way.
            return
        if len(self.headers) >= self._limits.max_headers:
            self._stop_with(self._head_too_large())
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._check_head()
        if len(self.pipeline) >= self._limits.max_pipelined:
            self._stop_with(_malformed())
        if self._place is not Place.WELCOME:
            self._check_place()
        self._expect(None)
        if not self._is_known:
            self._is_known = True
            self._door.get_to_know(self, self._network)
        super().on_headers_complete()
        if self._place is not Place.WELCOME:
            self.cycle.keep_alive = False
        self._in_body, self._has_begun, self._overhead_bytes = True, False, 0

    def on_body(self, body: bytes) -> None:
        self._overhead_bytes -= len(body) * (1 + _OVERHEAD)
        if self.scope["method"] not in _BODYLESS:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body, self._ended_in_feed = False, True
        self._head_bytes = 0
        super().on_message_complete()

    # --- bounds -----------------------------------------------------------------------------

    def _check_head(self) -> None:
        if self._head_bytes + self._feed_bytes <= self._limits.max_head_bytes:
            return
        # What was fed may hold more than this head: count it.
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self._limits.max_head_bytes:
            self._stop_with(self._head_too_large())

    def _check_place(self) -> None:
        self._door.leave(self, self._network)
        self._place = self._door.enter(self, self._network)
        if self._place is not Place.WELCOME and self.url.partition(b"?")[0] not in _PROBE_URLS:
            self._stop_with(_too_many())

    def _watch(self) -> None:
        """Look after each feed at what is not whole yet."""
        if self._in_body:
            if self._overhead_bytes > self._limits.max_head_bytes:
                self._refuse(self._head_too_large())
            elif self.is_idle and self._deadline is None:
                self._expect(self._limits.head_s)
            return
        if self._ended_in_feed and not self._has_begun:
            return
        if not self._began_in_feed:
            self._head_bytes += self._feed_bytes
        if self._head_bytes > self._limits.max_head_bytes:
            self._refuse(self._head_too_large())
        elif self._deadline is None:
            self._expect(self._limits.head_s)

    def _expect(self, head_in_s: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if head_in_s is not None:
            self._deadline = self.loop.call_later(head_in_s, self._on_late)

    def _on_late(self) -> None:
        self._deadline = None
        if self._has_begun:
            self._refuse(ProblemError(HEAD_TIMEOUT, "Send the whole head at once."))
        elif self.is_idle:
            self.transport.abort()

    # --- refusing ---------------------------------------------------------------------------

    def _stop_with(self, error: ProblemError) -> None:
        self._refusal = error
        raise _RefusedError

    def _head_too_large(self) -> ProblemError:
        limits = self._limits
        return ProblemError(
            HEAD_TOO_LARGE,
            f"At most {limits.max_headers} headers and {limits.max_head_bytes} bytes are taken.",
        )

    def _refuse(self, error: ProblemError) -> None:
        """Answer with `error` after what is under way, if anything is, and read no further."""
        self._expect(None)
        self._is_deaf = True
        if self.is_idle:
            self._answer(error)
        elif not self._in_body:
            # The answers to earlier requests go first, and the last of them says that it is.
            self.cycle.keep_alive = False
        elif self.pipeline or self.cycle.response_started:
            self.transport.abort()
        else:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._answer(error)

    def _answer(self, error: ProblemError) -> None:
        self._on_refusal(error)
        id = os.urandom(16).hex()
        body = problem_body(error, id)
        headers = {
            "content-type": MEDIA_TYPE,
            "content-length": str(len(body)),
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "x-request-id": id,
            **error.more.headers,
            "connection": "close",
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        status = STATUS_LINE[error.problem.status]
        self.transport.write(b"".join((status, lines.encode("ascii"), b"\r\n", body)))
        self.transport.close()

    def _linger(self) -> bool:
        """Whether closing waits for what the client still sends, and would reset it otherwise."""
        self._expect(None)
        if self._lingered_bytes is None:
            self._deadline = self.loop.call_later(self._limits.linger_s, self.transport.abort)
        if not self._in_body and not self._is_deaf:
            return False
        self._lingered_bytes = self._lingered_bytes or 0
        self.flow.resume_reading()
        return True

    def _drop(self, data: bytes) -> None:
        if self._lingered_bytes is None:
            self.flow.pause_reading()
            return
        self._lingered_bytes += len(data)
        if self._lingered_bytes > self._limits.max_linger_bytes:
            self.transport.abort()


class _Transport(GatheringTransport):
    """Gathers what is written; `lingers` is asked when it is to be closed.

    If it does, only our side is ended: the client ends the other, or the connection's deadline
    does.
    """

    def __init__(self, transport: asyncio.WriteTransport, lingers: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._lingers = lingers
        self._is_ending = False

    def is_closing(self) -> bool:
        return self._is_ending or self._transport.is_closing()

    def close(self) -> None:
        if self.is_closing():
            return
        self._is_ending = True
        if self._lingers() and self._transport.can_write_eof():
            self.write_eof()
        else:
            super().close()


def _malformed() -> ProblemError:
    return ProblemError(MALFORMED_REQUEST, "It could not be read as a request of HTTP/1.1.")


def _url_too_long(max_bytes: int) -> ProblemError:
    return ProblemError(URL_TOO_LONG, f"A URL has at most {max_bytes} bytes.")


def _too_many() -> ProblemError:
    return ProblemError(UNAVAILABLE, "Too many connections are open.", headers={"retry-after": "2"})
