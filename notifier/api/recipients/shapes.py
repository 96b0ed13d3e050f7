"""What services say of people, and are told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Self
from urllib.parse import quote, unquote

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic import JsonValue as PydanticJson
from pydantic_core import to_json

from notifier.api.kit.fields import Locale, UserId, WireTime, WireType, WrittenRecipient
from notifier.api.kit.preconditions import quoted
from notifier.api.kit.querying import Limit, QueryModel, Service, number_with_plus
from notifier.api.kit.views import InvalidFieldView, Page, View
from notifier.audience.person import (
    MAX_ADDRESSES,
    MAX_ATTRIBUTES_BYTES,
    MAX_PEOPLE,
    Address,
    PeopleFilter,
    Person,
    Profile,
    in_order,
)
from notifier.audience.recipient import normalise
from notifier.errors import RecipientError
from notifier.notification.model import Channel
from notifier.wall_time import is_zone

PREFIX = "/api/v1/recipients"
TAG = "Recipients"
MAX_VALUES = 10_000
"""In one profile."""


def _address(address: str, info: ValidationInfo) -> str:
    if "channel" not in info.data:
        return address
    try:
        return normalise(info.data["channel"], address)
    except RecipientError as error:
        raise ValueError(str(error)) from error


def _time_zone(name: str | None) -> str | None:
    if name is not None and not is_zone(name):
        message = "expected a time zone's name, such as Europe/Vienna"
        raise ValueError(message)
    return name


def _bounded(attributes: dict[str, PydanticJson]) -> dict[str, PydanticJson]:
    if len(to_json(attributes)) > MAX_ATTRIBUTES_BYTES:
        message = f"expected at most {MAX_ATTRIBUTES_BYTES} bytes of JSON"
        raise ValueError(message)
    return attributes


class _Request(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class AddressRequest(_Request):
    """Where somebody can be reached."""

    channel: WireType
    address: Annotated[WrittenRecipient, AfterValidator(_address)]
    is_primary: Annotated[
        bool | None,
        Field(description="Sent to. If none of a channel's is said to be, the first one is."),
    ] = None
    verified_at: Annotated[
        WireTime | None, Field(description="When it was known to be theirs.")
    ] = None


def _consistent(addresses: list[AddressRequest]) -> list[AddressRequest]:
    places: dict[tuple[Channel, str], int] = {}
    primaries: dict[Channel, int] = {}
    for index, each in enumerate(addresses):
        compared = Address(channel=each.channel, address=each.address).compared
        first = places.setdefault((each.channel, compared), index)
        if first != index:
            raise ValueError(f"{first} and {index} are the same address")
        if each.is_primary and primaries.setdefault(each.channel, index) != index:
            of = primaries[each.channel]
            raise ValueError(f"{of} and {index} are both primary for {each.channel}")
    return addresses


class RecipientRequest(_Request):
    """What a service says of somebody."""

    locale: Annotated[Locale | None, Field(description="Their language, such as `de-AT`.")] = None
    time_zone: Annotated[
        str | None,
        Field(max_length=100, description="Where their clocks are, such as `Europe/Vienna`."),
        AfterValidator(_time_zone),
    ] = None
    attributes: Annotated[
        dict[str, PydanticJson],
        AfterValidator(_bounded),
        Field(
            description="Whatever the service wants to find people by. "
            f"At most {MAX_ATTRIBUTES_BYTES} bytes of JSON."
        ),
    ] = {}
    addresses: Annotated[
        list[AddressRequest], Field(max_length=MAX_ADDRESSES), AfterValidator(_consistent)
    ] = []

    def profile(self, user_id: str) -> Profile:
        """Return it as the profile of this person."""
        return Profile(
            user_id=user_id,
            locale=self.locale,
            time_zone=self.time_zone,
            attributes=self.attributes,
            addresses=in_order(_with_primaries(self.addresses)),
        )


def _with_primaries(addresses: Sequence[AddressRequest]) -> Sequence[Address]:
    primary = {each.channel: index for index, each in reversed(list(enumerate(addresses)))}
    primary |= {each.channel: index for index, each in enumerate(addresses) if each.is_primary}
    return [
        Address(
            channel=each.channel,
            address=each.address,
            is_primary=primary[each.channel] == index,
            verified_at=each.verified_at,
        )
        for index, each in enumerate(addresses)
    ]


class NamedRecipientRequest(RecipientRequest):
    """What a service says of somebody, and of whom."""

    user_id: UserId

    def named_profile(self) -> Profile:
        """Return it as a profile."""
        return self.profile(self.user_id)


class RecipientsFrame(_Request):
    """A call with people, each still unread."""

    recipients: Annotated[list[PydanticJson], Field(min_length=1, max_length=MAX_PEOPLE)]


class RecipientsRequest(_Request):
    """People to put."""

    recipients: Annotated[list[NamedRecipientRequest], Field(min_length=1, max_length=MAX_PEOPLE)]


class MergeRequest(_Request):
    """Who turned out to be the same person."""

    from_id: Annotated[UserId, Field(alias="from")]
    """In JSON `from`, which Python keeps for itself."""


class AddressView(View):
    """Where somebody can be reached."""

    channel: Channel
    address: str
    is_primary: bool
    verified_at: datetime | None


class RecipientView(View):
    """Somebody in the directory."""

    service: str
    user_id: Annotated[
        str, Field(description="Another than was asked for, if that was merged into this one.")
    ]
    locale: str | None
    time_zone: str | None
    attributes: dict[str, PydanticJson]
    addresses: list[AddressView]
    etag: Annotated[str, Field(description="For `If-Match`.")]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, it: Person) -> Self:
        """View `it`."""
        return cls(
            service=it.service,
            user_id=it.user_id,
            locale=it.locale,
            time_zone=it.time_zone,
            attributes=dict(it.attributes),
            addresses=[
                AddressView(
                    channel=each.channel,
                    address=each.address,
                    is_primary=each.is_primary,
                    verified_at=each.verified_at,
                )
                for each in it.addresses
            ],
            etag=quoted(it.etag),
            created_at=it.created_at,
            updated_at=it.updated_at,
        )

    def document(self) -> dict[str, PydanticJson]:
        """Return what a PATCH is made on."""
        return self.model_dump(mode="json", include=set(RecipientRequest.model_fields))


class RecipientsView(Page[RecipientView]):
    """One page of people."""


class PutRecipientView(View):
    """What became of one item."""

    user_id: str | None
    status: Literal["created", "updated", "unchanged", "rejected"]
    errors: list[InvalidFieldView]


class PutRecipientsView(View):
    """What became of each item, in their order."""

    created: int
    updated: int
    unchanged: int
    rejected: int
    items: list[PutRecipientView]


def written_place(place: tuple[str, str]) -> str:
    """Write where somebody stands among the people of all services, as `after` takes it."""
    service, user_id = place
    return f"{quote(user_id, safe='')},{quote(service, safe='')}"


def _place(value: object) -> tuple[str, str]:
    user_id, comma, service = str(value).partition(",")
    if not comma:
        message = "expected what an earlier answer's next says"
        raise ValueError(message)
    return unquote(service), unquote(user_id)


class RecipientQuery(QueryModel):
    """Whose directory."""

    service: Service = None


class RecipientsQuery(RecipientQuery):
    """Whom to look for."""

    attribute: Annotated[
        dict[str, str],
        Field(
            max_length=20,
            description="Who has all of these; write `attribute.plan=pro`. Numbers and booleans "
            "are found by how JSON writes them.",
        ),
    ] = {}  # noqa: RUF012 - pydantic copies it
    address: Annotated[
        str | None,
        BeforeValidator(number_with_plus),
        Field(
            min_length=1,
            max_length=320,
            description="Who has this address, in any writing; several may.",
        ),
    ] = None
    channel: Annotated[
        WireType | None, Field(description="Who has an address of this channel.")
    ] = None
    limit: Limit = 50
    after: Annotated[
        tuple[str, str] | None,
        BeforeValidator(_place),
        WithJsonSchema({"type": "string"}),
        Field(description="Where the last page ended, from its `next`."),
    ] = None

    def filter(self) -> PeopleFilter:
        """Return it as the store understands it."""
        return PeopleFilter(attributes=self.attribute, address=self.address, channel=self.channel)
