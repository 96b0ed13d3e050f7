"""Whom a rule's `to` comes to."""

from collections.abc import Sequence
from dataclasses import dataclass

from notifier.audience.user_id import user_id_fault
from notifier.events.expressions import Unfit
from notifier.events.rule import MAX_PEOPLE
from notifier.notification.model import JsonValue

_MAX_RECIPIENT_CHARS = 320
_MAX_TOPIC_CHARS = 100
_EXPECTED = Unfit(
    "to: expected a user id, a list of them, or an object with user_id, recipient or both, or topic"
)


@dataclass(frozen=True, slots=True)
class To:
    """Somebody whom the directory knows, an address that came along, or both."""

    user_id: str | None = None
    recipient: str | None = None

    @property
    def person(self) -> str:
        """What they are known by."""
        return self.user_id or self.recipient or ""


@dataclass(frozen=True, slots=True)
class ToTopic:
    """All members of a topic."""

    topic: str


def read_whom(value: JsonValue) -> Sequence[To] | ToTopic | Unfit:
    """Read whom something is for, each once, or say why nobody can be made of it."""
    if isinstance(value, dict) and value.keys() == {"topic"}:
        topic = value["topic"]
        is_one = isinstance(topic, str) and 0 < len(topic) <= _MAX_TOPIC_CHARS
        return ToTopic(str(topic)) if is_one else Unfit("to/topic: expected the key of a topic")
    values = value if isinstance(value, list) else [value]
    if not values:
        return Unfit("to: nobody is named")
    if len(values) > MAX_PEOPLE:
        return Unfit(f"to: more than {MAX_PEOPLE} people: let it be a topic")
    found: dict[To, None] = {}
    for each in values:
        to = _read(each)
        if isinstance(to, Unfit):
            return to
        found[to] = None
    return list(found)


def _read(value: JsonValue) -> To | Unfit:
    if isinstance(value, dict):
        if not value or not value.keys() <= {"user_id", "recipient"}:
            return _EXPECTED
        user_id, recipient = value.get("user_id"), value.get("recipient")
        if recipient is None and user_id is None:
            return _EXPECTED
        if recipient is not None and not _is_recipient(recipient):
            return _EXPECTED
        named = None if user_id is None else _user_id(user_id)
        return named if isinstance(named, Unfit) else To(named, _text(recipient))
    named = _user_id(value)
    return named if isinstance(named, Unfit) else To(named)


def _is_recipient(value: JsonValue) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_RECIPIENT_CHARS


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None


def _user_id(value: JsonValue) -> str | Unfit:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return _EXPECTED
    fault = user_id_fault(value)
    return Unfit(f"to: {fault}") if fault else value
