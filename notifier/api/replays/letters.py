"""The endpoints for dead letters: what failed and why, and giving it up."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from notifier.api.kit.answers import ok
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.replays.shapes import (
    DiscardedView,
    DiscardRequest,
    LettersQuery,
    ReplayQuery,
    SurveyView,
)
from notifier.replays.replay import MAX_IDS, Letters

PREFIX = "/api/v1/dead-letters"
TAG = "Dead letters"
MAX_VALUES = MAX_IDS + 100


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterEndpoints:
    """Tells of dead letters, and discards them."""

    letters: Letters

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._grouping(), self._discarding())

    async def groups(self, call: Call[None, LettersQuery]) -> Response:
        """Group what failed by its cause."""
        selection = call.query.selection(call.seeing(call.query.service))
        return ok(SurveyView.of(await self.letters.survey(selection)))

    async def discard(self, call: Call[DiscardRequest, ReplayQuery]) -> Response:
        """Give letters up."""
        body = call.body
        selection = body.selection(call.seeing(call.query.service))
        by = call.caller.actor
        discarded = await self.letters.discard(selection, reason=body.reason, by=by)
        return ok(DiscardedView(discarded=discarded))

    def _grouping(self) -> Operation:
        return Operation(
            id="groupDeadLetters",
            method="GET",
            path=f"{PREFIX}/groups",
            summary="What failed, by its cause",
            description="Of the key's service; with the scope admin of all, or of `service`.",
            tag=TAG,
            serve=self.groups,
            scope="read",
            query=LettersQuery,
            replies={200: Reply(description="The groups", model=SurveyView)},
        )

    def _discarding(self) -> Operation:
        return Operation(
            id="discardDeadLetters",
            method="POST",
            path=f"{PREFIX}/discard",
            summary="Give dead letters up",
            description="They leave the dead queues, and no replay selects them unless it asks for "
            "them. Their notifications stay failed. Safe to repeat.",
            tag=TAG,
            serve=self.discard,
            scope="send",
            query=ReplayQuery,
            body=DiscardRequest,
            max_values=MAX_VALUES,
            replies={200: Reply(description="How many it were", model=DiscardedView)},
        )
