"""The endpoints for senders: as whom a service may send mails."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import Response

from notifier.api.kit.answers import Answer, ok
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import INVALID, NOT_FOUND, InvalidField, invalid, not_found, there
from notifier.api.kit.querying import Limit, NamedPlace, QueryModel, Service, named_place
from notifier.api.kit.views import Page, View
from notifier.intake.senders import (
    MAX_SENDERS,
    Sender,
    Senders,
    SenderStore,
    StoredSender,
    TooMany,
    is_sender_name,
)
from notifier.mailbox import carried_as, parse_carried

PREFIX = "/api/v1/senders"

_TAG = "Senders"


def _mailbox(text: str | None) -> str | None:
    if text is not None:
        parse_carried(text)
    return text


def _address(text: str) -> str:
    carried_as("", text)
    return text


def _name(text: str) -> str:
    carried_as(text, "a@localhost")
    return text


class SenderRequest(BaseModel):
    """As whom to send."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    address: Annotated[
        str,
        Field(min_length=3, max_length=320, description="The From address, alone."),
        AfterValidator(_address),
    ]
    display_name: Annotated[
        str,
        Field(max_length=100, description="The name to show for it; empty: none."),
        AfterValidator(_name),
    ] = ""
    reply_to: Annotated[
        str | None,
        Field(
            max_length=500,
            description="Where answers go, such as `Help <help@shop.example>`; null: to `address`.",
        ),
        AfterValidator(_mailbox),
    ] = None

    def sender(self, service: str, name: str) -> Sender:
        """Return the sender of this name."""
        return Sender(
            service=service,
            name=name,
            mailbox=carried_as(self.display_name, self.address),
            reply_to=parse_carried(self.reply_to) if self.reply_to is not None else None,
        )


class SenderView(View):
    """As whom a service may send."""

    service: str
    name: Annotated[str, Field(description="What `from` names.")]
    address: Annotated[str, Field(description="Its domain in ASCII.")]
    display_name: str
    reply_to: str | None
    updated_at: datetime

    @classmethod
    def of(cls, it: StoredSender) -> Self:
        """View `it`."""
        return cls(
            service=it.service,
            name=it.name,
            address=it.mailbox.address,
            display_name=it.mailbox.name,
            reply_to=str(it.reply_to) if it.reply_to else None,
            updated_at=it.updated_at,
        )


class SendersView(Page[SenderView]):
    """One page of senders."""


class SenderQuery(QueryModel):
    """Whose sender."""

    service: Service = None


class SendersQuery(SenderQuery):
    """Whose senders."""

    limit: Limit = 50
    after: NamedPlace = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderEndpoints:
    """Shows senders to their services, and lets operators say which there are."""

    store: SenderStore
    senders: Senders

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._listing(), self._setting(), self._removing())

    async def show_page(self, call: Call[None, SendersQuery]) -> Response:
        """Show a page of senders."""
        query = call.query
        found = await self.store.list(
            service=call.seeing(query.service), limit=query.limit + 1, after=query.after
        )
        return call.page(found, SendersView, SenderView.of, named_place)

    async def set(self, call: Call[SenderRequest, SenderQuery]) -> Response:
        """Add or replace one."""
        service = call.acting_for(call.query.service)
        stored = await self.store.set(call.body.sender(service, _named(call.named("sender"))))
        if isinstance(stored, TooMany):
            raise invalid([InvalidField("", f"a service has at most {MAX_SENDERS} senders")])
        self.senders.forget()
        return ok(SenderView.of(stored))

    async def remove(self, call: Call[None, SenderQuery]) -> Response:
        """Let nothing new be sent as this one."""
        service = call.acting_for(call.query.service)
        there(await self.store.remove(service, _named(call.named("sender"))))
        self.senders.forget()
        return Answer(status=HTTPStatus.NO_CONTENT).response()

    def _listing(self) -> Operation:
        return Operation(
            id="listSenders",
            method="GET",
            path=PREFIX,
            summary="As whom mails may be sent",
            description="Of the key's service; with the scope admin of all, or of `service`.",
            tag=_TAG,
            serve=self.show_page,
            scope="read",
            query=SendersQuery,
            replies={200: Reply(description="One page", model=SendersView)},
        )

    def _setting(self) -> Operation:
        return Operation(
            id="setSender",
            method="PUT",
            path=f"{PREFIX}/{{sender}}",
            summary="Let a service send as an address",
            description="A send names it as `from`. The one that is called `default` is for all "
            "mails of the service that name none; without it these are sent as "
            "NOTIFIER_EMAIL__SENDER says. What was accepted before is sent as it was accepted; "
            "other processes of the API go by it within two seconds.",
            tag=_TAG,
            serve=self.set,
            scope="admin",
            query=SenderQuery,
            body=SenderRequest,
            replies={200: Reply(description="The sender", model=SenderView)},
            problems=(NOT_FOUND, INVALID),
        )

    def _removing(self) -> Operation:
        return Operation(
            id="removeSender",
            method="DELETE",
            path=f"{PREFIX}/{{sender}}",
            summary="Let nothing new be sent as this one",
            description="What was accepted is sent as it was accepted.",
            tag=_TAG,
            serve=self.remove,
            scope="admin",
            query=SenderQuery,
            replies={204: Reply(description="It is gone")},
            problems=(NOT_FOUND,),
        )


def _named(name: str) -> str:
    if not is_sender_name(name):
        raise not_found()
    return name
