"""The endpoints for digests: how they stand, and those that failed once more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field
from starlette.responses import Response

from notifier.api.kit.answers import Answer
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import NOT_FOUND, WRONG_STATE, ProblemError, not_found, there
from notifier.api.kit.querying import After, Limit, QueryModel, Service
from notifier.api.kit.views import Page, View
from notifier.events.digest import DigestFilter, DigestState, DigestStore, StoredDigest

_PREFIX = "/api/v1/digests"
_TAG = "Events"


class KeptDigestView(View):
    """A digest, and what came of it."""

    id: UUID
    service: str
    rule: str
    version_id: Annotated[UUID, Field(description="The version of the rule that finishes it.")]
    user_id: str | None
    recipient: Annotated[str | None, Field(description="The address, where no user id was given.")]
    key: Annotated[str, Field(description="Of the digest; empty if the rule names none.")]
    state: Annotated[
        DigestState,
        Field(
            description="`open`: it gathers. `closed`: it is not yet known what it comes to. "
            "`empty`: all that was in it was taken back. `failed`: nothing can be sent of it, see "
            "`reason`; it may be replayed."
        ),
    ]
    reason: Annotated[str | None, Field(description="Why nothing was sent.")]
    count: Annotated[int | None, Field(description="How many events it is of, once it ended.")]
    opened_at: datetime
    due_at: datetime
    closed_at: Annotated[datetime | None, Field(description="What came later opened another.")]
    settled_at: Annotated[datetime | None, Field(description="When it ended.")]
    notification_ids: list[UUID]

    @classmethod
    def of(cls, it: StoredDigest) -> Self:
        """View `it`."""
        return cls(
            id=it.id,
            service=it.service,
            rule=it.rule,
            version_id=it.version_id,
            user_id=it.person if it.is_user else None,
            recipient=None if it.is_user else it.person,
            key=it.key,
            state=it.state,
            reason=it.reason,
            count=it.count,
            opened_at=it.opened_at,
            due_at=it.due_at,
            closed_at=it.closed_at,
            settled_at=it.settled_at,
            notification_ids=list(it.notification_ids),
        )


class KeptDigestsView(Page[KeptDigestView]):
    """One page of digests, the newest first."""


class ReplayedDigestView(View):
    """A digest that a relay looks at again."""

    id: UUID
    state: DigestState


class DigestsQuery(QueryModel):
    """Which digests."""

    service: Service = None
    rule: Annotated[str | None, Field(max_length=64, description="Of this rule.")] = None
    state: Annotated[DigestState | None, Field(description="That stand so.")] = None
    limit: Limit = 50
    after: After = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestEndpoints:
    """Tells how digests stand, and has those that failed looked at again."""

    digests: DigestStore

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._listing(), self._showing(), self._replaying())

    async def show_page(self, call: Call[None, DigestsQuery]) -> Response:
        """Show a page of digests."""
        query = call.query
        filter = DigestFilter(
            service=call.seeing(query.service), rule=query.rule, state=query.state
        )
        found = await self.digests.list(filter, limit=query.limit + 1, after=query.after)
        return call.page(found, KeptDigestsView, KeptDigestView.of, lambda each: each.id)

    async def show(self, call: Call[None, None]) -> Response:
        """Show one."""
        found = there(await self.digests.get(call.named("id"), service=call.caller.sees))
        body = KeptDigestView.of(found).json_value()
        return Answer(status=HTTPStatus.OK, body=body).response()

    async def replay(self, call: Call[None, None]) -> Response:
        """Have one that failed looked at again."""
        id = call.named("id")
        view = ReplayedDigestView(id=id, state=DigestState.CLOSED)
        answer = Answer(status=HTTPStatus.ACCEPTED, body=view.json_value())
        change = partial(self.digests.replay, id, service=call.caller.sees)
        match await call.once(change, answer):
            case Response() as response:
                return response
            case StoredDigest(state=state):
                raise ProblemError(
                    WRONG_STATE,
                    f"It is {state}: only what is failed is replayed.",
                    members={"digest_state": state.value},
                )
            case _:
                raise not_found()

    def _listing(self) -> Operation:
        return Operation(
            id="listDigests",
            method="GET",
            path=_PREFIX,
            summary="List digests of the last days, the newest first",
            description="Of the key's service; with the scope admin of all, or of `service`.",
            tag=_TAG,
            serve=self.show_page,
            scope="events",
            query=DigestsQuery,
            replies={200: Reply(description="One page", model=KeptDigestsView)},
        )

    def _showing(self) -> Operation:
        return Operation(
            id="getDigest",
            method="GET",
            path=f"{_PREFIX}/{{id:uuid}}",
            summary="A digest: how it stands, and what came of it",
            tag=_TAG,
            serve=self.show,
            scope="events",
            replies={200: Reply(description="The digest", model=KeptDigestView)},
            problems=(NOT_FOUND,),
        )

    def _replaying(self) -> Operation:
        return Operation(
            id="replayDigest",
            method="POST",
            path=f"{_PREFIX}/{{id:uuid}}/replay",
            summary="Send a digest that failed, with all that it holds",
            description="Once what `reason` says is mended. It is finished by the same version "
            "of its rule, and by the templates and people of now.",
            tag=_TAG,
            serve=self.replay,
            scope="events",
            is_idempotent=True,
            replies={202: Reply(description="A relay looks at it again", model=ReplayedDigestView)},
            problems=(NOT_FOUND, WRONG_STATE),
        )
