"""Clients of a world: each sends a notification until it is told that it was accepted."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

import orjson

from tests.simulation.epoch import EPOCH_S
from tests.simulation.loop import this_loop
from tests.simulation.web import Request, Site

_TIMEOUT_S = 10.0
_BACKOFF_S = (0.05, 2.0)
_SHARE_TIMED = 0.2


@dataclass(slots=True)
class Wish:
    """A notification that a client wants sent, and what it was told."""

    number: int
    body: Mapping[str, Any]
    send_in_s: float | None = None
    expires_in_s: float | None = None
    told: UUID | None = None
    told_s: float | None = None
    others: list[UUID] = field(default_factory=list)
    """Further ids that it was told: there must be none."""
    refusal: str | None = None
    is_cancelled: bool = False
    """Whether somebody tried to take it back."""
    is_suppressed: bool = False
    """Whether its recipient was put on the suppression list."""

    def asked(self, now: datetime) -> bytes:
        """The body of its request, if it is made for the first time `now`."""
        times = {
            name: (now + timedelta(seconds=delay_s)).isoformat()
            for name, delay_s in (("send_at", self.send_in_s), ("expires_at", self.expires_in_s))
            if delay_s is not None
        }
        return orjson.dumps({**self.body, **times})


def wishes(count: int, chance: random.Random) -> list[Wish]:
    """So many notifications of different channels and lanes."""
    return [_wish(number, chance) for number in range(count)]


def _wish(number: int, chance: random.Random) -> Wish:
    body = _body(number, chance)
    if chance.random() < _SHARE_TIMED:
        send_in_s = chance.choice((None, chance.uniform(1, 30)))
        return Wish(number, body, send_in_s, (send_in_s or 0) + chance.uniform(1, 60))
    return Wish(number, body)


def _body(number: int, chance: random.Random) -> Mapping[str, Any]:
    lane = chance.choice(("high", "normal", "normal", "bulk"))
    body: dict[str, Any] = {"content": f"notification {number}", "priority": lane}
    if chance.random() < 0.7:
        return {**body, "type": "email", "recipient": f"to{number}@example.com", "subject": "Hi"}
    return {**body, "type": "sms", "recipient": f"+4917012{number:05d}"}


async def send(
    wish: Wish, key: str, sites: Sequence[Site], chance: random.Random, until_s: float
) -> None:
    """Ask until it is accepted, as a client with an Idempotency-Key does."""
    headers = {
        "authorization": f"Bearer {key}",
        "content-type": "application/json",
        "idempotency-key": f"wish-{wish.number}",
    }
    now = datetime.fromtimestamp(EPOCH_S + this_loop().time(), UTC)
    request = Request("POST", "/api/v1/notifications/send", headers, wish.asked(now))
    while wish.told is None and this_loop().time() < until_s:
        try:
            response = await chance.choice(sites).ask(request, _TIMEOUT_S)
        except OSError:
            response = None
        if response is not None and response.status == HTTPStatus.ACCEPTED:
            wish.told, wish.told_s = UUID(response.json()["id"]), this_loop().time()
        elif response is not None and _is_final(response.status):
            wish.refusal = f"{response.status} {bytes(response.body).decode()}"
            return
        else:
            await asyncio.sleep(chance.uniform(*_BACKOFF_S))


def _is_final(status: int) -> bool:
    is_busy = status in (HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS)
    return HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and not is_busy
