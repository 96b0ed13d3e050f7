"""Clients of a world: each asks for something until it is told that it was accepted."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

import orjson

from tests.simulation.audience.people import to_somebody
from tests.simulation.epoch import EPOCH_S
from tests.simulation.loop import this_loop
from tests.simulation.web import Request, Response, Site

_TIMEOUT_S = 10.0
_BACKOFF_S = (0.05, 2.0)
_SHARE_TIMED = 0.2
TEMPLATE = "greeting"
"""The name of the only one."""
_CONTENT = ("content", "subject")
_NOTIFICATIONS = "/api/v1/notifications"


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
    asked_s: float = 0.0
    """When it was asked for first: its times count from then on."""
    refusal: str | None = None
    refused_s: float = 0.0
    is_cancelled: bool = False
    """Whether somebody tried to take it back."""
    is_suppressed: bool = False
    """Whether its recipient was put on the suppression list."""
    is_unacceptable: bool = False
    """Whether the database takes it, and what is asked for with it, under no circumstances."""

    def asked(self) -> Mapping[str, Any]:
        """What its request says of it."""
        now = datetime.fromtimestamp(EPOCH_S + self.asked_s, UTC)
        times = {
            name: (now + timedelta(seconds=delay_s)).isoformat()
            for name, delay_s in (("send_at", self.send_in_s), ("expires_at", self.expires_in_s))
            if delay_s is not None
        }
        return {**self.body, **times}


def wishes(
    count: int, chance: random.Random, templated: float, to_people: float = 0.0
) -> list[Wish]:
    """So many notifications of different channels and lanes.

    Some of them are of a template, some to people of the directory.
    """
    return [_wish(number, chance, templated, to_people) for number in range(count)]


def _wish(number: int, chance: random.Random, templated: float, to_people: float) -> Wish:
    body = _body(number, chance)
    if templated and chance.random() < templated:
        named = {"template": TEMPLATE, "variables": {"number": number}}
        body = {name: value for name, value in body.items() if name not in _CONTENT} | named
    if to_people and chance.random() < to_people:
        body = to_somebody(body, chance)
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
    wishes: Sequence[Wish], key: str, sites: Sequence[Site], chance: random.Random, until_s: float
) -> None:
    """Ask for these together until that is accepted, as a client with an Idempotency-Key does."""
    for wish in wishes:
        wish.asked_s = this_loop().time()
    request = _request(wishes, key)
    while this_loop().time() < until_s:
        try:
            response = await chance.choice(sites).ask(request, _TIMEOUT_S)
        except OSError:
            response = None
        if response is not None and response.status == HTTPStatus.ACCEPTED:
            _take(response, wishes)
            return
        if response is not None and _is_final(response.status):
            _give_up(response, wishes)
            return
        await asyncio.sleep(chance.uniform(*_BACKOFF_S))


def _request(wishes: Sequence[Wish], key: str) -> Request:
    headers = {
        "authorization": f"Bearer {key}",
        "content-type": "application/json",
        "idempotency-key": f"wish-{wishes[0].number}",
    }
    if len(wishes) == 1:
        return Request("POST", f"{_NOTIFICATIONS}/send", headers, orjson.dumps(wishes[0].asked()))
    body = orjson.dumps({"notifications": [wish.asked() for wish in wishes]})
    return Request("POST", f"{_NOTIFICATIONS}/batch", headers, body)


def _take(response: Response, wishes: Sequence[Wish]) -> None:
    """Keep what was accepted of these."""
    answer = response.json()
    for wish, item in zip(wishes, answer.get("items", [answer]), strict=True):
        if item["id"] is None:
            _refuse(wish, str(item["errors"]))
        else:
            wish.told, wish.told_s = UUID(item["id"]), this_loop().time()


def _give_up(response: Response, wishes: Sequence[Wish]) -> None:
    is_one_unacceptable = any(wish.is_unacceptable for wish in wishes)
    for wish in wishes:
        wish.is_unacceptable = is_one_unacceptable
        _refuse(wish, f"{response.status} {bytes(response.body).decode()}")


def _refuse(wish: Wish, words: str) -> None:
    wish.refusal, wish.refused_s = words, this_loop().time()


def _is_final(status: int) -> bool:
    is_busy = status in (HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS)
    return HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and not is_busy
