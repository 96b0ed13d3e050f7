"""The load: clients that send until they are answered 2xx, and write down each answer."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import IO, Any

import aiohttp

from notifier.notification.model import Channel, Lane
from tools.chaos.recipients import choose_manner, make_recipient

_PREFIX = "/api/v1/notifications"
_CLIENTS = 24
_BATCH = 10
_REQUEST_TIMEOUT_S = 15
_AGAIN_S = 0.3
_SEND_LATER_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A notification that a client was told to be accepted.

    `at` is when, in seconds since the epoch; `due_at` is its own wish where it has one.
    """

    id: str
    channel: Channel
    lane: Lane
    at: float
    due_at: float | None


@dataclass(frozen=True, slots=True)
class Request:
    """What one client sends with one Idempotency-Key."""

    key: str
    due_s: float
    bodies: Sequence[dict[str, Any]]


@dataclass(slots=True)
class Load:
    """What was sent and answered so far.

    `latencies_s` are those of the requests that were answered 2xx; `refused` counts answers that
    told to try again, `unanswered` those that never came.
    """

    accepted: int = 0
    refused: int = 0
    unanswered: int = 0
    slowest_s: float = 0
    latencies_s: list[float] = field(default_factory=list)


def make_requests(seed: int, notifications: int, rate_per_s: float) -> Iterator[Request]:
    """All requests, in order: single ones and batches, over all channels and lanes."""
    random = Random(seed)  # noqa: S311  repeatable
    made = 0
    while made < notifications:
        size = min(_BATCH if random.random() < 0.03 else 1, notifications - made)
        bodies = [_body(random, made + index) for index in range(size)]
        yield Request(f"chaos-{seed}-{made}", made / rate_per_s, bodies)
        made += size


def _body(random: Random, number: int) -> dict[str, Any]:
    channel = random.choices(list(Channel), (45, 30, 25))[0]
    lane = random.choices(list(Lane), (15, 60, 25))[0]
    recipient = make_recipient(channel, choose_manner(random), number)
    body: dict[str, Any] = {
        "type": channel.value,
        "recipient": recipient,
        "content": "Order {{ number }} is on its way.",
        "variables": {"number": number},
        "priority": lane.value,
    }
    if channel is Channel.EMAIL:
        body["subject"] = "Your order {{ number }}"
    if random.random() < 0.02:
        body["_later_s"] = _SEND_LATER_S
    return body


class Clients:
    """Clients of both API processes."""

    def __init__(self, urls: Sequence[str], key: str, ledger: IO[str]) -> None:
        self.load = Load()
        self._urls = urls
        self._headers = {"Authorization": f"Bearer {key}"}
        self._ledger = ledger
        self._turn = 0

    async def run(self, requests: Iterator[Request]) -> None:
        """Send all requests, none before it is due; returns once all are answered."""
        started_s = time.monotonic()
        timeout = aiohttp.ClientTimeout(total=_REQUEST_TIMEOUT_S)
        async with (
            aiohttp.ClientSession(headers=self._headers, timeout=timeout) as session,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(_CLIENTS):
                group.create_task(self._send_each(session, requests, started_s))

    async def _send_each(
        self, session: aiohttp.ClientSession, requests: Iterator[Request], started_s: float
    ) -> None:
        for request in requests:
            await asyncio.sleep(max(0, started_s + request.due_s - time.monotonic()))
            await self._send(session, request)

    async def _send(self, session: aiohttp.ClientSession, request: Request) -> None:
        """Send until it is answered 2xx, at one API process and the other in turn."""
        due_at = [_due_at(body) for body in request.bodies]
        path, body = _wire(request.bodies, due_at)
        ids = None
        while ids is None:
            ids = await self._try(session, path, body, request.key)
            await asyncio.sleep(0 if ids else _AGAIN_S)
        answered_at = time.time()
        for id, sent, due in zip(ids, request.bodies, due_at, strict=True):
            accepted = Accepted(
                id=id,
                channel=Channel(sent["type"]),
                lane=Lane(sent["priority"]),
                at=answered_at,
                due_at=due,
            )
            self._ledger.write(json.dumps(asdict(accepted)) + "\n")
        self._ledger.flush()
        self.load.accepted += len(ids)

    async def _try(
        self, session: aiohttp.ClientSession, path: str, body: bytes, key: str
    ) -> list[str] | None:
        self._turn += 1
        url = self._urls[self._turn % len(self._urls)] + path
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        began_s = time.monotonic()
        try:
            async with session.post(url, data=body, headers=headers) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError):
            self.load.unanswered += 1
            return None
        finally:
            took_s = time.monotonic() - began_s
            self.load.slowest_s = max(self.load.slowest_s, took_s)
        if answer.status == 202:
            self.load.latencies_s.append(took_s)
            return _ids(json.loads(text))
        if answer.status < 500 and answer.status not in (409, 429):
            raise AssertionError(f"{answer.status}: {text}")
        self.load.refused += 1
        return None


def _due_at(body: dict[str, Any]) -> float | None:
    later_s = body.get("_later_s")
    return time.time() + later_s if later_s else None


def _wire(bodies: Sequence[dict[str, Any]], due_at: Sequence[float | None]) -> tuple[str, bytes]:
    """The path and the bytes; made once, since a key stands for one request to the byte."""
    items = [
        {name: value for name, value in body.items() if name != "_later_s"}
        | ({"send_at": _rfc3339(due)} if due else {})
        for body, due in zip(bodies, due_at, strict=True)
    ]
    if len(items) == 1:
        return f"{_PREFIX}/send", json.dumps(items[0]).encode()
    return f"{_PREFIX}/batch", json.dumps({"notifications": items}).encode()


def _rfc3339(at: float) -> str:
    return (datetime.fromtimestamp(0, UTC) + timedelta(seconds=at)).isoformat()


def _ids(answer: Any) -> list[str]:
    return [item["id"] for item in answer["items"]] if "items" in answer else [answer["id"]]


def read_ledger(path: Path) -> list[Accepted]:
    """What clients were told."""
    with path.open() as lines:
        return [_accepted(json.loads(line)) for line in lines]


def _accepted(fields: dict[str, Any]) -> Accepted:
    channel, lane = Channel(fields.pop("channel")), Lane(fields.pop("lane"))
    return Accepted(channel=channel, lane=lane, **fields)
