"""Requests to the API's application, over a world's network and without its HTTP server."""

import asyncio
import random
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.types import ASGIApp

from tests.simulation.loop import Process, this_loop, this_process

_LATENCY_S = (0.0005, 0.01)


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a client."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""

    def scope(self) -> dict[str, Any]:
        """The request as ASGI has it."""
        headers = {"host": "notifier", "content-length": str(len(self.body)), **self.headers}
        path, _, query = self.path.partition("?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), text.encode()) for name, text in headers.items()],
            "client": ("client", 1),
            "server": ("notifier", 80),
            "state": {},
        }


@dataclass(slots=True)
class Response:
    """What the API answered."""

    status: int = 0
    body: bytearray = field(default_factory=bytearray)

    def json(self) -> Any:
        """Its body, decoded."""
        return orjson.loads(bytes(self.body))


class Site:
    """Where an API process serves its application, from when it is ready until it ends."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.back_s = 0.0
        """Nobody asks before: it is away for days."""
        self._app: ASGIApp | None = None
        self._process: Process | None = None
        self._under_way: dict[asyncio.Task[Response], None] = {}

    async def serve(self, app: ASGIApp) -> None:
        """Serve until the process is asked to end, and let what is under way end."""
        process = this_process()
        self._process, self._app = process, app
        await process.stopping.wait()
        self._app = None
        if self._under_way:
            await asyncio.wait(set(self._under_way), timeout=20)

    async def ask(self, request: Request, timeout_s: float) -> Response:
        """Send a request from the process whose turn it is.

        Raises:
            OSError: it was not answered; it may have been done.
        """
        loop, client = this_loop(), this_process()
        if loop.time() < self.back_s:
            await asyncio.sleep(self.back_s - loop.time())
        answer: asyncio.Future[Response] = loop.create_future()
        process = self._process
        if process is None or process.is_dead:
            await asyncio.sleep(self._latency_s())
            raise ConnectionRefusedError("no API runs here")
        fail = _setting(answer, ConnectionResetError("the API went away"))
        process.on_death.append(lambda: client.post(self._latency_s(), fail))
        process.post(self._latency_s(), self._start, request, client, answer)
        async with asyncio.timeout(timeout_s):
            return await answer

    def _start(self, request: Request, client: Process, answer: "asyncio.Future[Response]") -> None:
        if self._app is None:
            refused = ConnectionRefusedError("the API stops")
            client.post(self._latency_s(), _setting(answer, refused))
            return
        task = asyncio.get_running_loop().create_task(_answered(self._app, request))
        self._under_way[task] = None

        def tell(done: "asyncio.Task[Response]") -> None:
            del self._under_way[done]
            client.post(self._latency_s(), _copy, done, answer)

        task.add_done_callback(tell)

    def _latency_s(self) -> float:
        return self._chance.uniform(*_LATENCY_S)


async def _answered(app: ASGIApp, request: Request) -> Response:
    response = Response()
    pieces = [{"type": "http.request", "body": request.body, "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        if pieces:
            return pieces.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            response.status = message["status"]
        else:
            response.body += message.get("body", b"")

    await app(request.scope(), receive, send)
    return response


def _setting(answer: "asyncio.Future[Response]", error: Exception) -> Callable[[], None]:
    def fail() -> None:
        if not answer.done():
            answer.set_exception(error)

    return fail


def _copy(done: "asyncio.Task[Response]", answer: "asyncio.Future[Response]") -> None:
    if answer.done():
        return
    if done.cancelled() or done.exception():
        answer.set_exception(ConnectionResetError("the API failed"))
    else:
        answer.set_result(done.result())
