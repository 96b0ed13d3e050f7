"""What clients ask for in a query string, checked as strictly as a body."""

import re
from typing import Annotated, TypeVar
from urllib.parse import quote, unquote, urlencode
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from starlette.requests import Request

from notifier.api.kit.body import unstorable
from notifier.api.kit.problems import InvalidField, invalid
from notifier.api.wire import (
    MetadataName,
    MetadataValue,
    WireTime,
    WireType,
    in_normal_form,
    read_model,
)
from notifier.audience.recipient import has_control_characters
from notifier.audience.suppression import Suppression, SuppressionPlace
from notifier.notification.model import Channel, Status
from notifier.notification.reading import NotificationFilter

_METADATA = re.compile(r"metadata(?:\.(?P<dotted>.+)|\[(?P<bracketed>.+)\])", re.DOTALL)
# What may be an address, or a telephone number.
_ADDRESS = re.compile(r"@|\d(?:[\s./()-]*\d){6}")
_SPACE = re.compile(r"(?<=\d) (?=\d\d:\d\d$)", re.ASCII)
_NUMBER_WITHOUT_PLUS = re.compile(r" [1-9][\d\s()./-]{5,30}", re.ASCII)
_MAX_SEQ = 2**63 - 1


def parse_seq(value: object) -> int:
    """Read a place in an inbox or among captures.

    Raises:
        ValueError: it is no number that fits.
    """
    text = str(value)
    if not re.fullmatch(r"\d{1,19}", text, re.ASCII) or int(text) > _MAX_SEQ:
        message = "expected a number that an earlier answer gave"
        raise ValueError(message)
    return int(text)


def _limit(value: object) -> int:
    text = str(value)
    if not re.fullmatch(r"[1-9]\d{0,2}", text, re.ASCII) or int(text) > 200:  # noqa: PLR2004 - said below
        message = "expected a number from 1 to 200"
        raise ValueError(message)
    return int(text)


def _flag(value: object) -> bool:
    if value not in (True, False, "true", "false"):
        message = "expected true or false"
        raise ValueError(message)
    return value in (True, "true")


def _id(value: object) -> UUID:
    try:
        return UUID(str(value))
    except ValueError as error:
        message = "expected the id of a notification"
        raise ValueError(message) from error


def _time(value: object) -> object:
    """A + that nobody escaped arrives as a space, and before an offset it can be nothing else."""
    return _SPACE.sub("+", value) if isinstance(value, str) else value


Time = Annotated[WireTime, BeforeValidator(_time)]
Limit = Annotated[
    int,
    BeforeValidator(_limit),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
    Field(description="How many items at most."),
]
Seq = Annotated[
    int,
    BeforeValidator(parse_seq),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": _MAX_SEQ}),
    Field(description="The seq of the last item seen; continue after it."),
]
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]


Service = Annotated[
    str | None,
    Field(min_length=1, max_length=200, description="Another service; with the scope admin only."),
]


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _number_with_plus(value: object) -> object:
    """A + that nobody escaped arrives as a space; a number begins with one."""
    if isinstance(value, str) and _NUMBER_WITHOUT_PLUS.fullmatch(value):
        return f"+{value[1:]}"
    return value


After = Annotated[
    UUID | None,
    BeforeValidator(_id),
    Field(description="The id where an earlier answer's next goes on."),
]


class AccountQuery(_Query):
    """Which notifications to give the account of."""

    after: After = None


class NotificationQuery(_Query):
    """Which notifications to list."""

    service: Service = None
    status: Annotated[list[Status], Field(max_length=20, description="Any of these.")] = []
    type: Annotated[list[WireType], Field(max_length=20, description="Any of these.")] = []
    recipient: Annotated[
        str | None,
        BeforeValidator(_number_with_plus),
        Field(
            min_length=1,
            max_length=320,
            description="This recipient; addresses without regard to case, numbers in any writing.",
        ),
    ] = None
    metadata: Annotated[
        dict[MetadataName, MetadataValue],
        Field(
            max_length=20,
            description="All of these; write `metadata.order_id=42` or `metadata[order_id]=42`.",
            json_schema_extra={"additionalProperties": False},
        ),
    ] = {}
    created_from: Annotated[Time | None, Field(description="At this time or later.")] = None
    created_before: Annotated[Time | None, Field(description="Before this time.")] = None
    limit: Limit = 50
    after: After = None

    def filter(self) -> NotificationFilter:
        """Return it as the store understands it."""
        return NotificationFilter(
            statuses=frozenset(self.status),
            channels=frozenset(self.type),
            recipient=self.recipient,
            metadata=self.metadata,
            created_from=self.created_from,
            created_before=self.created_before,
        )


class InboxQuery(_Query):
    """Which part of an inbox to show."""

    limit: Limit = 50
    after: Seq | None = None
    unread: Annotated[Flag, Field(description="Only what was not read.")] = False


class CapturesQuery(_Query):
    """Which captures to show."""

    limit: Limit = 50
    after: Seq | None = None
    type: Annotated[WireType | None, Field(description="Only of this channel.")] = None


def suppression_place(suppression: Suppression) -> str:
    """Return where `suppression` stands, as `after` takes it."""
    parts = (suppression.channel, suppression.service, suppression.compared)
    return ",".join(quote(part, safe="") for part in parts)


def _place(value: object) -> SuppressionPlace:
    parts = [unquote(part) for part in str(value).split(",")]
    if len(parts) != 3 or parts[0] not in set(Channel):  # noqa: PLR2004 - channel, service, recipient
        message = "expected what an earlier answer's next says"
        raise ValueError(message)
    return SuppressionPlace(parts[2], parts[1], Channel(parts[0]))


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


class ServiceQuery(_Query):
    """Whose suppression list."""

    service: Service = None


class SuppressionQuery(ServiceQuery):
    """Which suppression."""

    type: Annotated[WireType, Field(description="The channel.")]
    recipient: Annotated[
        str,
        BeforeValidator(_number_with_plus),
        Field(min_length=1, max_length=320),
        AfterValidator(in_normal_form),
    ]
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
    limit: Limit = 50
    after: Annotated[
        SuppressionPlace | None,
        BeforeValidator(_place),
        WithJsonSchema({"type": "string"}),
        Field(description="Where the last page ended, from its `next`."),
    ] = None


Query = TypeVar("Query", bound=_Query)

_LISTS = ("status", "type")


def read_query(model: type[Query], request: Request) -> Query:
    """Check the query string of `request` against `model`.

    Raises:
        ProblemError: 422, naming every parameter that is wrong.
    """
    lists = [name for name in _LISTS if _is_list(model, name)]
    values, wrong = _gather(request, lists)
    checked = read_model(model, values, are_parameters=True)
    if isinstance(checked, list):
        wrong += checked
    if wrong or isinstance(checked, list):
        raise invalid(wrong)
    return checked


def next_page(request: Request, after: object) -> str:
    """Return the path and query of the page after `after`."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "after"]
    return f"{request.url.path}?{urlencode([*kept, ('after', str(after))])}"


def _is_list(model: type[_Query], name: str) -> bool:
    return name in model.model_fields and model.model_fields[name].default == []


def _gather(request: Request, lists: list[str]) -> tuple[dict[str, object], list[InvalidField]]:
    values: dict[str, object] = {}
    metadata: dict[str, str] = {}
    wrong: list[InvalidField] = []
    for name, value in request.query_params.multi_items():
        match = _METADATA.fullmatch(name)
        target: dict[str, object] | dict[str, str] = metadata if match else values
        key = (match["dotted"] or match["bracketed"]) if match else name
        wrong += _unfit(name, value, is_repeated=key in target and name not in lists)
        if name in lists:
            values[name] = [*_items(values.get(name)), *value.split(",")]
        else:
            target[key] = value
    return (values | {"metadata": metadata} if metadata else values), wrong


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _unfit(name: str, value: str, *, is_repeated: bool) -> list[InvalidField]:
    found = [each.detail for text in (name, value) for each in unstorable(text)]
    if is_repeated:
        found.append("given more than once")
    return [InvalidField(name[:100], detail, is_parameter=True) for detail in found]
