"""The endpoint for who changed what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field
from starlette.responses import Response

from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.querying import After, Limit, QueryModel, Time
from notifier.api.kit.views import Page, View
from notifier.audit import AuditEntry, AuditFilter, AuditLog, AuditOutcome, Via

_MOST_CHARACTERS = 200
_Text = Annotated[str | None, Field(min_length=1, max_length=_MOST_CHARACTERS)]


class AuditEntryView(View):
    """A change: who asked for it, what was changed, and what they were answered."""

    id: UUID
    at: datetime
    via: Via
    actor: Annotated[str, Field(description="The id of an API key; a command's login.")]
    service: Annotated[str | None, Field(description="The key's; null: a command's.")]
    action: Annotated[
        str,
        Field(
            description="The operation's name in this document; of the console its path, of a "
            "command its words."
        ),
    ]
    target: Annotated[
        str,
        Field(
            description="The path, or what the command names. Whoever is named in it is a keyed "
            "hash, the same each time."
        ),
    ]
    source: Annotated[str, Field(description="The network address, or the machine.")]
    request_id: Annotated[str | None, Field(description="As in the answer and the logs.")]
    outcome: Annotated[
        AuditOutcome,
        Field(
            description="`refused`: it was answered with an error, though something was written. "
            "`repeated`: it came again with the same Idempotency-Key."
        ),
    ]

    @classmethod
    def of(cls, it: AuditEntry) -> Self:
        """View `it`."""
        return cls(
            id=it.act.id,
            at=it.at,
            via=it.act.via,
            actor=it.act.actor,
            service=it.act.service,
            action=it.act.action,
            target=it.act.target,
            source=it.act.source,
            request_id=it.act.request_id,
            outcome=it.outcome,
        )


class AuditView(Page[AuditEntryView]):
    """One page of what was changed, the newest first."""


class AuditQuery(QueryModel):
    """Which changes."""

    service: Annotated[_Text, Field(description="By keys of this service.")] = None
    actor: Annotated[_Text, Field(description="By this key, or this login.")] = None
    action: Annotated[_Text, Field(description="This one, such as `pauseProvider`.")] = None
    via: Annotated[Via | None, Field(description="By this door.")] = None
    outcome: Annotated[AuditOutcome | None, Field(description="That were answered so.")] = None
    since: Annotated[Time | None, Field(description="At this time or later.")] = None
    before: Annotated[Time | None, Field(description="Before this time.")] = None
    limit: Limit = 50
    after: After = None

    def filter(self) -> AuditFilter:
        """Return it as the log understands it."""
        return AuditFilter(
            service=self.service,
            actor=self.actor,
            action=self.action,
            via=self.via,
            outcome=self.outcome,
            since=self.since,
            before=self.before,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEndpoints:
    """Tells who changed what."""

    log: AuditLog

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoint."""
        return (
            Operation(
                id="listAudit",
                method="GET",
                path="/api/v1/audit",
                summary="Who changed what, the newest first",
                description="Every change by API, console and command line, noted in the "
                "transaction that made it; not what is sent, and not what people do themselves. "
                "It is of all services.",
                tag="Operation",
                serve=self.show_page,
                scope="admin",
                query=AuditQuery,
                replies={200: Reply(description="One page", model=AuditView)},
            ),
        )

    async def show_page(self, call: Call[None, AuditQuery]) -> Response:
        """Show a page of it."""
        query = call.query
        found = await self.log.list(query.filter(), limit=query.limit + 1, after=query.after)
        return call.page(found, AuditView, AuditEntryView.of, lambda each: each.act.id)
