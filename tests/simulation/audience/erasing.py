"""Somebody who comes, is sent all kinds of things, and is to be forgotten without a trace."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from uuid import UUID

from notifier.audience.pseudonym import ERASED
from tests.simulation.clients import Wish
from tests.simulation.epoch import since_s
from tests.simulation.eventing.story import SOURCE, Publication
from tests.simulation.loop import this_loop
from tests.simulation.operators import Operator
from tests.simulation.providers import Call

_LATER_S = 100.0
"""When that is due which is to be cancelled."""
_SHARE_LISTED = 0.5
_NEAR_S = 0.2


@dataclass(slots=True)
class Erased:
    """Somebody of whom nothing is to be left."""

    user_id: str
    email: str
    phone: str
    erasure: UUID | None = None
    """None: nobody was told that they will be forgotten."""
    finished_s: float | None = None
    traces: list[str] = field(default_factory=list)
    """The tables, and their columns, that still name them at the end."""

    @property
    def names(self) -> Sequence[str]:
        """All by which they are known."""
        return (self.user_id, self.email, self.phone)


def somebody(at_s: float, who: float) -> Erased:
    """Return somebody of whom nobody else knows."""
    name = f"canary-{round(at_s * 1_000)}-{round(who * 1_000)}"
    return Erased(name, f"{name}@example.com", f"+4916{round(at_s * 1_000_000) % 10**9:09d}")


def letters_to(one: Erased, first: int) -> Sequence[Wish]:
    """Return what clients want sent to them: at once and later, by their id and by address."""
    email = {"type": "email", "priority": "normal", "content": f"for {one.user_id}", "subject": "x"}
    sms = {"type": "sms", "priority": "normal", "content": f"for {one.user_id}"}
    return [
        Wish(first, {**email, "user_id": one.user_id}),
        Wish(first + 1, {**email, "user_id": one.user_id}, send_in_s=_LATER_S),
        Wish(first + 2, {**sms, "recipient": one.phone}),
        Wish(first + 3, {**sms, "recipient": one.phone}, send_in_s=_LATER_S),
    ]


def event_about(one: Erased, type: str) -> Publication:
    """Return something that happened to them."""
    id = f"{type}-{one.user_id.removeprefix('canary-')}"
    data = {"user_id": one.user_id, "number": f"of {one.user_id}", "key": id, "thread": id}
    event = {"specversion": "1.0", "id": id, "source": SOURCE, "type": type, "data": data}
    return Publication(event, this_loop().time())


async def live_and_go(
    operator: Operator,
    one: Erased,
    wishes: Sequence[Wish],
    published: Sequence[Publication],
    for_s: float,
    share: float,
) -> None:
    """Come, be written to, and be forgotten."""
    addresses = [
        {"channel": "email", "address": one.email, "is_primary": True},
        {"channel": "sms", "address": one.phone, "is_primary": True},
    ]
    await operator.put(one.user_id, {"addresses": addresses})
    await operator.prefer(one.user_id, {"choices": {"news": {"email": False}}})
    if share < _SHARE_LISTED:
        entry = {"type": "sms", "recipient": one.phone, "reason": "unsubscribed"}
        await operator.suppress(entry)
        for wish in wishes:
            wish.is_suppressed = "recipient" in wish.body
    await asyncio.gather(*(operator.send(wish) for wish in wishes))
    await asyncio.gather(*(operator.publish_all([each]) for each in published))
    await asyncio.sleep(for_s)
    for wish in wishes:
        wish.is_cancelled = wish.is_suppressed = True
    response = await operator.erase(one.user_id)
    if response is not None and response.status == HTTPStatus.ACCEPTED:
        one.erasure = UUID(response.json()["id"])


def is_erased(record: Mapping[str, Any]) -> bool:
    """Whether a notification is of somebody who was forgotten."""
    return str(record["user_id"]).startswith(ERASED)


def note_traces(
    erased: Sequence[Erased],
    erasures: Sequence[Mapping[str, Any]],
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
) -> None:
    """Look through all tables for who is to be forgotten."""
    finished = {UUID(row["id"]): row["finished_at"] for row in erasures}
    for one in erased:
        at = finished.get(one.erasure) if one.erasure else None
        one.finished_s = since_s(at) if at else None
        digits = one.phone.removeprefix("+")
        for table, rows in tables.items():
            one.traces += sorted(
                {
                    f"{table}.{column}"
                    for row in rows
                    for column, value in row.items()
                    if isinstance(value, str | bytes) and _names(value, one.user_id, digits)
                }
            )


def _names(value: str | bytes, *names: str) -> bool:
    text = value if isinstance(value, str) else value.decode(errors="replace")
    return any(each in text for each in names)


def about_erasures(erased: Sequence[Erased], journal: Sequence[Call]) -> Iterator[str]:
    """What is left of them, and what went to them once they were forgotten."""
    for one in erased:
        if one.erasure is None or one.finished_s is None:
            yield f"unforgotten: {one.user_id} was to be forgotten, and is not"
            continue
        yield from (f"traces: {one.user_id} is named by {place}" for place in one.traces)
        for call in journal:
            is_theirs = call.recipient in (one.email, one.phone)
            if is_theirs and call.began_s > one.finished_s + _NEAR_S:
                yield f"haunted: {call.id} went to {one.user_id} at {call.began_s:.2f}"
