"""The endpoints for suppression lists: the addresses that a service must not send to."""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Self
from urllib.parse import quote, unquote
from uuid import UUID

import structlog
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from starlette.responses import Response

from notifier.api.kit.access import Caller
from notifier.api.kit.answers import Answer
from notifier.api.kit.calls import Call
from notifier.api.kit.fields import CategoryKey, WireRecipient, WireType, in_normal_form
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import (
    FORBIDDEN,
    INVALID,
    NOT_FOUND,
    InvalidField,
    ProblemError,
    invalid,
    not_found,
)
from notifier.api.kit.querying import Limit, QueryModel, Service, number_with_plus
from notifier.api.kit.views import Page, View
from notifier.audience.recipient import compared, has_control_characters
from notifier.audience.suppression import (
    Lifted,
    Protected,
    Suppression,
    SuppressionPlace,
    SuppressionStore,
)
from notifier.idempotency import NotFound
from notifier.notification.model import Channel
from notifier.notification.outcomes import SuppressionReason

log = structlog.get_logger(__name__)

PREFIX = "/api/v1/suppressions"

_TAG = "Suppressions"
_MAX_VALUES = 20


def _reason(value: object) -> SuppressionReason:
    known = {each.value: each for each in SuppressionReason}
    if not isinstance(value, str) or value not in known:
        message = f"expected one of {', '.join(known)}"
        raise ValueError(message)
    return known[value]


WireReason = Annotated[
    SuppressionReason,
    BeforeValidator(_reason),
    WithJsonSchema({"type": "string", "enum": [each.value for each in SuppressionReason]}),
]


class SuppressionRequest(BaseModel):
    """An address not to send to."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    type: Annotated[WireType, Field(description="The channel. `in-app` means `in_app`.")]
    recipient: WireRecipient
    reason: Annotated[WireReason, Field(description="Why.")] = SuppressionReason.MANUAL
    category: Annotated[
        CategoryKey | None,
        Field(description="Only notifications of this category; null: all of them."),
    ] = None


class SuppressedView(View):
    """An address that is on a service's suppression list."""

    service: str
    type: Channel
    recipient: str
    category: Annotated[
        str | None, Field(description="Whose notifications are not sent to it; null: all.")
    ]


class SuppressionView(SuppressedView):
    """An address on a service's suppression list, and how it came there."""

    reason: SuppressionReason
    notification_id: Annotated[
        UUID | None, Field(description="The notification that showed it; null: put there by hand.")
    ]
    created_at: datetime

    @classmethod
    def of(cls, it: Suppression) -> Self:
        """View `it`."""
        return cls(
            service=it.service,
            type=it.channel,
            recipient=it.recipient,
            category=it.category,
            reason=it.reason,
            notification_id=it.notification_id,
            created_at=it.created_at,
        )


class SuppressionsView(Page[SuppressionView]):
    """One page of suppressions."""


# What may be an address, or a telephone number.
_ADDRESS = re.compile(r"@|\d(?:[\s./()-]*\d){6}")


def suppression_place(suppression: Suppression) -> str:
    """Return where `suppression` stands, as `after` takes it."""
    category = (suppression.category,) if suppression.category else ()
    parts = (suppression.channel, suppression.service, suppression.compared, *category)
    return ",".join(quote(part, safe="") for part in parts)


def _place(value: object) -> SuppressionPlace:
    parts = [unquote(part) for part in str(value).split(",")]
    channel, service, recipient, category = (*parts, "", "", "", "")[:4]
    if len(parts) not in (3, 4) or channel not in set(Channel):
        message = "expected what an earlier answer's next says"
        raise ValueError(message)
    return SuppressionPlace(recipient, service, Channel(channel), category)


def _without_address(reason: str) -> str:
    if has_control_characters(reason):
        message = "expected one line"
        raise ValueError(message)
    if not reason.strip():
        message = "expected words"
        raise ValueError(message)
    if _ADDRESS.search(reason):
        message = "expected words without an address: it is kept in the log"
        raise ValueError(message)
    return reason


class ServiceQuery(QueryModel):
    """Whose suppression list."""

    service: Service = None


class SuppressionQuery(ServiceQuery):
    """Which suppression."""

    type: Annotated[WireType, Field(description="The channel.")]
    recipient: Annotated[
        str,
        BeforeValidator(number_with_plus),
        Field(min_length=1, max_length=320),
        AfterValidator(in_normal_form),
    ]
    category: Annotated[
        CategoryKey | None,
        Field(description="The entry for this category; without: the one for everything."),
    ] = None
    reason: Annotated[
        str | None,
        AfterValidator(_without_address),
        Field(
            min_length=1,
            max_length=200,
            description="Why, in one line without the address. Needed, with the scope admin, "
            "where the recipient unsubscribed or reported spam.",
        ),
    ] = None


class SuppressionsQuery(ServiceQuery):
    """Which suppressions to list."""

    type: Annotated[WireType | None, Field(description="Only of this channel.")] = None
    recipient: Annotated[
        str | None,
        BeforeValidator(number_with_plus),
        Field(
            min_length=1,
            max_length=320,
            description="This recipient; addresses without regard to case, numbers in any writing.",
        ),
    ] = None
    reason: Annotated[WireReason | None, Field(description="Only those there for this.")] = None
    limit: Limit = 50
    after: Annotated[
        SuppressionPlace | None,
        BeforeValidator(_place),
        WithJsonSchema({"type": "string"}),
        Field(description="Where the last page ended, from its `next`."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifter:
    """Takes addresses off lists, and logs who did."""

    suppressions: SuppressionStore
    pepper: bytes = field(repr=False)

    async def lift(self, caller: Caller, query: SuppressionQuery) -> Lifted | Protected | NotFound:
        """Take an entry off; one that the recipient asked for only where an operator says why.

        Raises:
            ProblemError: 403, it names another's service without the scope admin.
        """
        service = caller.may_name(query.service)
        result = await self.suppressions.remove(
            service=service,
            channel=query.type,
            recipient=query.recipient,
            category=query.category,
            why=query.reason if caller.sees is None else None,
        )
        if isinstance(result, Lifted):
            log.info(
                "suppression.removed",
                service=service,
                type=query.type,
                suppression=self._name(service, query.type, query.recipient),
                category=query.category,
                reasons=sorted(result.reasons),
                key=caller.actor,
                why=query.reason,
            )
        return result

    def _name(self, service: str, channel: Channel, recipient: str) -> str:
        """Return what stands for an entry in the log, the same each time."""
        entry = "\0".join((service, channel, compared(channel, recipient)))
        return hmac.digest(self.pepper, entry.encode(), "sha256").hex()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionEndpoints:
    """Serves suppression lists to the services that they belong to."""

    suppressions: SuppressionStore
    lifter: Lifter

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._listing(), self._adding(), self._removing())

    async def show_page(self, call: Call[None, SuppressionsQuery]) -> Response:
        """Show a page of a list."""
        query = call.query
        found = await self.suppressions.list(
            service=call.seeing(query.service),
            channel=query.type,
            limit=query.limit + 1,
            after=query.after,
            recipient=query.recipient,
            reason=query.reason,
        )
        return call.page(found, SuppressionsView, SuppressionView.of, suppression_place)

    async def add(self, call: Call[SuppressionRequest, ServiceQuery]) -> Response:
        """Put an address on a list."""
        service, wanted = call.acting_for(call.query.service), call.body
        view = SuppressedView(
            service=service,
            type=wanted.type,
            recipient=wanted.recipient,
            category=wanted.category,
        )
        add = partial(
            self.suppressions.add,
            service=service,
            channel=wanted.type,
            recipient=wanted.recipient,
            reason=wanted.reason,
            category=wanted.category,
        )
        return await call.once(add, Answer(status=HTTPStatus.OK, body=view.json_value()))

    async def remove(self, call: Call[None, SuppressionQuery]) -> Response:
        """Take an address off a list."""
        match await self.lifter.lift(call.caller, call.query):
            case Lifted():
                return Answer(status=HTTPStatus.NO_CONTENT).response()
            case Protected(reason):
                raise not_lifted(call.caller, reason)
            case NotFound():
                raise not_found()

    def _listing(self) -> Operation:
        return Operation(
            id="listSuppressions",
            method="GET",
            path=PREFIX,
            summary="Addresses that are not sent to, in their order",
            description="Of the key's service; with the scope admin of all, or of `service`.",
            tag=_TAG,
            serve=self.show_page,
            scope="read",
            query=SuppressionsQuery,
            replies={200: Reply(description="One page", model=SuppressionsView)},
        )

    def _adding(self) -> Operation:
        return Operation(
            id="addSuppression",
            method="POST",
            path=PREFIX,
            summary="Send nothing to an address any more",
            description="What is sent to it later ends as `suppressed` before it is queued, and "
            "so does what is waiting; with a `category`, only what is of that. What is on the list "
            "already keeps its reason.",
            tag=_TAG,
            serve=self.add,
            scope="send",
            query=ServiceQuery,
            body=SuppressionRequest,
            is_idempotent=True,
            replies={200: Reply(description="It is on the list", model=SuppressedView)},
        )

    def _removing(self) -> Operation:
        return Operation(
            id="removeSuppression",
            method="DELETE",
            path=PREFIX,
            summary="Send to an address again",
            description="Where the recipient asked not to be sent to (`unsubscribed`, "
            "`spam_report`), this needs the scope admin and a `reason`. It is logged with the "
            "key's id and without the address, and is in the timeline of the notification that "
            "brought it.",
            tag=_TAG,
            serve=self.remove,
            scope="send",
            query=SuppressionQuery,
            replies={204: Reply(description="It is off the list")},
            problems=(NOT_FOUND, INVALID, FORBIDDEN),
        )


def not_lifted(caller: Caller, reason: SuppressionReason) -> ProblemError:
    """Return why an entry that the recipient asked for stays."""
    return _says_not_why(reason) if caller.sees is None else _not_ours_to_lift(reason)


def _not_ours_to_lift(reason: SuppressionReason) -> ProblemError:
    return ProblemError(
        FORBIDDEN,
        f"It is there as {reason}: the recipient asked for it. Only the scope 'admin' may take it "
        "off, with a reason.",
    )


def _says_not_why(reason: SuppressionReason) -> ProblemError:
    detail = f"it is there as {reason}: the recipient asked for it; say why it may be sent to again"
    return invalid([InvalidField("reason", detail, is_parameter=True)])
