"""Events, and a set of rules that a test writes down as it needs it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

import orjson
from uuid_utils import compat

from notifier.events.digest import Digest, Unfinished, derived_id
from notifier.events.event import DigestItem, Effects, Event, Match, Outcome, Reaction
from notifier.intake.ports import Submission
from notifier.notification.model import Channel, Lane

VERSION = UUID("019b0000-0000-7000-8000-00000000000a")

React: TypeAlias = Callable[[Event], Effects]


def an_event(id: str = "1", **changes: Any) -> Event:
    usual: dict[str, Any] = {
        "service": "orders",
        "source": "/shop",
        "id": id,
        "type": "order.shipped",
        "data": {"user": "ada", "order": 17},
    }
    told = {**usual, **changes}
    checksum = hashlib.sha256(orjson.dumps([told["type"], told["data"]])).hexdigest()
    return Event(**{"content_checksum": checksum, **told})


def a_message(person: str, *, service: str = "orders", text: str = "On its way.") -> Submission:
    return Submission(
        id=compat.uuid7(),
        service=service,
        channel=Channel.IN_APP,
        lane=Lane.NORMAL,
        recipient=person,
        content=text,
        is_finished=True,
    )


def person_of(event: Event) -> str:
    data = event.data
    assert isinstance(data, dict)
    return str(data.get("user", "ada"))


def a_match(event: Event, **changes: Any) -> Match:
    """A match that sends one message to the event's user."""
    person = person_of(event)
    usual: dict[str, Any] = {
        "rule": "shipped",
        "version_id": VERSION,
        "person": person,
        "outcome": Outcome.MATCHED,
        "submissions": [a_message(person, service=event.service)],
    }
    return Match(**{**usual, **changes})


def in_digest(event: Event, **item: Any) -> Match:
    """A match that adds an event to a digest, due at once."""
    usual: dict[str, Any] = {
        "data": event.data,
        "due_at": datetime.now(UTC) - timedelta(seconds=1),
    }
    return a_match(event, submissions=(), digest_item=DigestItem(**{**usual, **item}))


def a_reaction(event: Event, *matches: Match, **changes: Any) -> Reaction:
    return Reaction(compat.uuid7(), event, Effects(matches, **changes))


@dataclass
class Rules:
    """Reacts as it was told to, and sends one message for each digest."""

    react_to: React = field(default=lambda event: Effects([a_match(event)]))
    reacted: list[Event] = field(default_factory=list)

    async def react(self, event: Event) -> Effects:
        self.reacted.append(event)
        return self.react_to(event)

    async def finished(self, digest: Digest) -> Sequence[Submission] | Unfinished:
        seen = ",".join(each.event.id for each in digest.items)
        made = a_message(digest.person, service=digest.service, text=f"{digest.count}: {seen}")
        return [replace_id(made, derived_id(digest.id, "send"))]


def replace_id(submission: Submission, id: UUID) -> Submission:
    values = {name: getattr(submission, name) for name in Submission.__dataclass_fields__}
    return Submission(**{**values, "id": id})
