"""Marking items of inboxes, one or all."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from notifier.api.inbox.shapes import (
    PREFIX,
    TAG,
    address_of,
)
from notifier.api.kit.answers import Answer
from notifier.api.kit.calls import Call
from notifier.api.kit.fields import WireTime
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import (
    NOT_FOUND,
    UNAVAILABLE,
    InvalidField,
    Problem,
    ProblemError,
    invalid,
    not_found,
)
from notifier.audience.inbox import Inbox, Mark
from notifier.clock import Clock
from notifier.idempotency import Applied, KeyReused, NotFound, Remembered, Unfinished

_LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class _Which:
    """What of an inbox is marked."""

    name: str
    path: str
    words: str
    problems: tuple[Problem, ...] = ()


_WHICH = (
    _Which("Inbox", "", "all of an inbox"),
    _Which("InboxItem", "/{id:uuid}", "one item of an inbox", (NOT_FOUND,)),
)
_SUMMARIES: Mapping[Mark, str] = {
    Mark.SEEN: "Mark {} as seen",
    Mark.READ: "Mark {} as read",
    Mark.UNREAD: "Mark {} as unread",
    Mark.ARCHIVE: "Archive {}",
    Mark.UNARCHIVE: "Bring back {} that was archived",
    Mark.SNOOZE: "Snooze {} until a time",
    Mark.UNSNOOZE: "Bring back {} that was snoozed",
}
_DESCRIPTIONS: Mapping[Mark, str] = {
    Mark.SEEN: "It was shown: it counts for the badge no longer.",
    Mark.READ: "It counts as seen, too.",
    Mark.ARCHIVE: "It counts as read, and is out of the inbox.",
    Mark.SNOOZE: "It is out of the inbox until then, and comes back as new, unread and first.",
    Mark.UNSNOOZE: "It is where it was, and as it was.",
}


class SnoozeRequest(BaseModel):
    """Until when to snooze."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    until: Annotated[
        WireTime, Field(description="When it comes back, as new and unread; a year at most.")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxMarking:
    """Marks items for the services, and the recipients, that they belong to."""

    inbox: Inbox
    clock: Clock

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return [self._marks(mark, of) for mark in Mark for of in _WHICH]

    async def mark(self, call: Call[None, None], mark: Mark) -> Response:
        """Mark one item of an inbox, or all."""
        return await self._mark(call, partial(self.inbox.mark, mark=mark))

    async def snooze(self, call: Call[SnoozeRequest, None]) -> Response:
        """Put one item of an inbox, or all, away until a time."""
        until, now = call.body.until, self.clock.now()
        if not now < until <= now + _LONGEST:
            detail = "expected a time to come, within a year"
            return await call.refuse(invalid([InvalidField("/until", detail)]))
        return await self._mark(call, partial(self.inbox.mark, mark=Mark.SNOOZE, until=until))

    async def _mark(
        self,
        call: Call[Any, None],
        mark: Callable[..., Awaitable[Applied | Remembered | KeyReused | NotFound | Unfinished]],
    ) -> Response:
        one = call.request.path_params.get("id")
        result: Response | NotFound | Unfinished = await call.once(
            partial(mark, *address_of(call), one), Answer(status=HTTPStatus.NO_CONTENT)
        )
        match result:
            case Response() as response:
                return response
            case NotFound():
                raise not_found()
            case Unfinished(left):
                detail = f"There are very many, {left} unread. Ask again to go on with the rest."
                members = {"unread_count": left}
                headers = {"Retry-After": "1"}
                raise ProblemError(UNAVAILABLE, detail, headers=headers, members=members)

    def _marks(self, mark: Mark, of: "_Which") -> Operation:
        is_snooze = mark is Mark.SNOOZE
        return Operation(
            id=f"{mark}{of.name}",
            method="POST",
            path=f"{PREFIX}/{{recipient}}{of.path}/{mark}",
            summary=_SUMMARIES[mark].format(of.words),
            description=_DESCRIPTIONS.get(mark, ""),
            tag=TAG,
            serve=self.snooze if is_snooze else partial(self.mark, mark=mark),
            scope="read",
            is_for_subscribers=True,
            body=SnoozeRequest if is_snooze else None,
            is_idempotent=True,
            replies={204: Reply(description="Marked")},
            problems=of.problems,
        )
