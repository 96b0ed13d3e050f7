"""The short way round parsing a body and checking it against a model, for what is as usual.

Whatever is decoded here would have come out of `parse_json` and have had the right types. What
would not, and all that is doubtful, is left to the long way: it knows what to say.
"""

import json
from typing import Any, TypeAlias

import msgspec

from notifier.api.kit.body import count_members, holds_more_than
from notifier.api.kit.problems import ProblemError
from notifier.notification.model import JsonValue

_BEFORE_COLONS = (b'":', b" :", b"\t:", b"\n:", b"\r:")
"""What ends the name of a member, and may stand in a text."""
_ESCAPED_NUL = b"\\u0000"

Members: TypeAlias = dict[str, Any]


class Decoder:
    """Decodes objects of one shape: a TypedDict, whose members may be such or plain JSON."""

    def __init__(self, shape: object, *, max_values: int) -> None:
        self._decoder: msgspec.json.Decoder[Members] = msgspec.json.Decoder(shape)
        self._max_values = max_values

    def decode(self, body: bytes) -> Members | None:
        """Return what is in `body`; None where it takes the long way to tell.

        Integers of any size are let through.
        """
        if _ESCAPED_NUL in body or self._may_hold_too_much(body):
            return None
        try:
            members = self._decoder.decode(body)
            count = count_members(members, self._max_values)
            return members if _is_all_there(body, count) else None
        except (msgspec.MsgspecError, ValueError, RecursionError, ProblemError):
            return None

    def _may_hold_too_much(self, body: bytes) -> bool:
        return len(body) >= self._max_values and holds_more_than(body, self._max_values)


def _is_all_there(body: bytes, decoded: int) -> bool:
    """Whether so many members are all: none has a name that came twice, or that is unknown."""
    return (
        body.count(b":") == decoded
        or sum(map(body.count, _BEFORE_COLONS)) == decoded
        or _members_of(body) == decoded
    )


def _members_of(body: bytes) -> int:
    """Return how many members the objects in `body`, which is JSON, have in all."""
    count = 0

    def add(pairs: list[tuple[str, JsonValue]]) -> None:
        nonlocal count
        count += len(pairs)

    json.loads(body, object_pairs_hook=add)
    return count
