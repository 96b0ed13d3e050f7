"""What requests cost the API itself: CPU time in one process, over a store that keeps nothing.

usage: python -m tools.bench.application [CASE ...] [--profile]

`application` is the application alone, called as a server would; `connection` has the server's
protocol around it, and no socket. A µs of either is one of a process's CPU time, for a request or
an item of a batch, and the least of several rounds: what else runs on the machine only adds.
"""

import argparse
import asyncio
import cProfile
import json
import pstats
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.types import Message, Scope
from uvicorn.server import ServerState

from notifier.api.app import create_app
from notifier.api.kit.config import ApiConfig
from notifier.api.kit.connection import Connection
from notifier.api.kit.door import Door, DoorLimits
from notifier.audience.choices import Choices
from notifier.audience.person import Address, Person
from notifier.errors import PublishError
from notifier.idempotency import Applied, Idempotency
from notifier.intake.ports import Submission
from notifier.intake.publishing import Publisher
from notifier.intake.submission import Submitter
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel
from notifier.queue.memory import MemoryQueue
from notifier.telemetry import configure_logging
from tests.api import PEPPER, PREFIX, Api, over
from tests.schema import sqlite_database
from tools.bench.addressing import TO_PERSON
from tools.bench.templating import INLINE, PINNED, SHORT
from tools.bench.wrk import NUMBER, SHIPPED

_ROUNDS = 60
_WORK = 30
"""Requests, or items, of a round."""
_BATCH = 1_000
_HEADERS = ((b"host", b"127.0.0.1:8000"), (b"content-type", b"application/json"))
_NOW = datetime(2026, 1, 1, tzinfo=UTC)

Post: TypeAlias = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Case:
    """A request, and how many notifications it holds."""

    body: Mapping[str, Any]
    path: str = f"{PREFIX}/send"
    headers: Sequence[tuple[bytes, bytes]] = ()
    items: int = 1

    @property
    def json(self) -> bytes:
        """Its body, as it is sent."""
        text = json.dumps(self.body, separators=(",", ":"))
        return text.replace(NUMBER, "4711").encode()


def _batch(item: Mapping[str, Any]) -> Case:
    return Case({"notifications": [item] * _BATCH}, path=f"{PREFIX}/batch", items=_BATCH)


CASES: Mapping[str, Case] = {
    "inline": Case(SHIPPED),
    "variables": Case(INLINE),
    "template": Case(PINNED),
    "person": Case(TO_PERSON),
    "key": Case(SHIPPED, headers=((b"idempotency-key", b"order-4711-shipped"),)),
    "batch": _batch(SHIPPED),
    "batch of templates": _batch(PINNED),
}


class _NothingKept:
    """An intake and publications that say yes."""

    async def insert(
        self, submissions: Sequence[Submission], idempotency: Idempotency | None = None
    ) -> Applied:
        del submissions, idempotency
        await asyncio.sleep(0)  # a store is waited for, and what was offered is published meanwhile
        return Applied()

    async def mark_published(self, envelopes: Sequence[Envelope]) -> None:
        del envelopes

    async def mark_buried(self, envelopes: Sequence[Envelope]) -> None:
        del envelopes


class _NoQueue(MemoryQueue):
    """Confirms at once."""

    async def publish(self, envelopes: Sequence[Envelope]) -> Sequence[PublishError | None]:
        return [None] * len(envelopes)


class _Everybody:
    """A directory in which each id is somebody's."""

    async def people(self, service: str, user_ids: Collection[str]) -> Mapping[str, Person]:
        return {id: _person(service, id) for id in user_ids}


def _person(service: str, id: str) -> Person:
    address = Address(channel=Channel.EMAIL, address=f"{id}@example.com", is_primary=True)
    return Person(
        service=service,
        user_id=id,
        locale="de-AT",
        time_zone="Europe/Vienna",
        attributes={"plan": "pro"},
        addresses=(address,),
        choices=Choices(),
        quiet_hours=None,
        etag="1",
        created_at=_NOW,
        updated_at=_NOW,
    )


class _Sink(asyncio.Transport):
    """A transport without a socket, which tells when an answer was written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 5), "sockname": ("127.0.0.1", 8000)})
        self.answer: asyncio.Future[bytes] | None = None

    def write(self, data: Any) -> None:
        if self.answer and not self.answer.done():
            self.answer.set_result(bytes(data))

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        """Go on."""

    def resume_reading(self) -> None:
        """Go on."""

    def abort(self) -> None:
        """Stay: nothing is open."""

    def close(self) -> None:
        """Stay."""


def _application(app: Starlette, headers: Sequence[tuple[bytes, bytes]], case: Case) -> Post:
    body = case.json
    scope = _scope(case.path, [*headers, (b"content-length", b"%d" % len(body))])

    async def post() -> None:
        status = 0

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)

        await app(dict(scope), receive, send)
        assert status == 202, status

    return post


def _scope(path: str, headers: Sequence[tuple[bytes, bytes]]) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 5),
        "scheme": "http",
        "root_path": "",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": list(headers),
        "state": {},
    }


def _connection(app: Starlette, headers: Sequence[tuple[bytes, bytes]], case: Case) -> Post:
    body = case.json
    lines = [b"POST %s HTTP/1.1" % case.path.encode(), *(b"%s: %s" % each for each in headers)]
    request = b"\r\n".join([*lines, b"content-length: %d" % len(body), b"", body])
    config = uvicorn.Config(
        app, loop="uvloop", ws="none", log_config=None, access_log=False, server_header=False
    )
    config.load()
    loop = asyncio.get_running_loop()
    door = Door(DoorLimits())
    connection = Connection(config, ServerState(), {}, loop, door=door, on_refusal=print)
    sink = _Sink()
    connection.connection_made(sink)

    async def post() -> None:
        sink.answer = loop.create_future()
        connection.data_received(request)
        assert b" 202 " in (await sink.answer)[:20]

    return post


async def _cost_us(post: Post, case: Case, *, is_profiled: bool) -> float:
    times = max(1, _WORK // case.items)
    await _round(post, times)
    with cProfile.Profile() if is_profiled else nullcontext() as profile:
        found = [await _round(post, times) for _ in range(_ROUNDS)]
    if profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)
    return 1e6 * min(found) / case.items


async def _round(post: Post, times: int) -> float:
    """Return the seconds of CPU of one of so many requests."""
    began_s = time.process_time()
    for _ in range(times):
        await post()
    return (time.process_time() - began_s) / times


async def _measure(names: Sequence[str], *, is_profiled: bool) -> None:
    configure_logging(level="WARNING", as_json=True)
    with TemporaryDirectory() as folder:
        async with over(sqlite_database(Path(folder) / "notifier.db")) as api:
            headers = await api.headers("bench", "send", "admin")
            api.client.headers.update(headers)
            await _declare(api)
            app = _over_nothing(api)
            raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
            for name in names or CASES:
                case = CASES[name]
                given = [*_HEADERS, *raw, *case.headers]
                posts = {"application": _application(app, given, case)}
                if not is_profiled:
                    posts["connection"] = _connection(app, given, case)
                figures = [
                    f"{layer} {await _cost_us(post, case, is_profiled=is_profiled):6.1f}"
                    for layer, post in posts.items()
                ]
                print(f"{name:20}", *figures, "µs", flush=True)  # noqa: T201  its output


def _over_nothing(api: Api) -> Starlette:
    nothing = _NothingKept()
    submitter = Submitter(nothing, Publisher(nothing, _NoQueue()))
    ports = replace(api.services, submitter=submitter, directory=_Everybody())
    return create_app(ports, ApiConfig(pepper=PEPPER, requests_per_minute=10**9))


async def _declare(api: Api) -> None:
    template = f"/api/v1/templates/{PINNED['template']}"
    for answer in (
        await api.client.put("/api/v1/categories/news", json={"kind": "subscribed"}),
        await api.client.put(f"{template}/draft", json=SHORT),
        await api.client.post(f"{template}/publish"),
    ):
        answer.raise_for_status()


def main() -> None:
    """Print what each case costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], help="all without")
    parser.add_argument("--profile", action="store_true", help="show where the time goes instead")
    told = parser.parse_args()
    uvloop.run(_measure(told.cases, is_profiled=told.profile))


if __name__ == "__main__":
    main()
