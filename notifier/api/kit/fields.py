"""Fields that requests have in common."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)

from notifier.audience.recipient import NOT_ONE_LINE, has_control_characters, normalise
from notifier.errors import RecipientError
from notifier.notification.model import Channel

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_TYPES: Mapping[str, Channel] = {**{each.value: each for each in Channel}, "in-app": Channel.IN_APP}


def parse_time(value: object) -> datetime:
    """Read an RFC 3339 time with its offset, as UTC.

    Raises:
        ValueError: it is anything else; the message says what is expected.
    """
    expected = "expected an RFC 3339 time with an offset, such as 2027-01-31T18:00:00+01:00"
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError(expected)
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(expected) from error


def parse_type(value: object) -> Channel:
    """Read a notification's type.

    Raises:
        ValueError: there is no such type.
    """
    if not isinstance(value, str) or value not in _TYPES:
        message = "expected one of email, sms, in_app"
        raise ValueError(message)
    return _TYPES[value]


WireTime = Annotated[
    datetime,
    BeforeValidator(parse_time),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2027-01-31T18:00:00+01:00"]}
    ),
]
WireType = Annotated[
    Channel,
    BeforeValidator(parse_type),
    WithJsonSchema({"type": "string", "enum": list(_TYPES)}),
]
MetadataName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
MetadataValue = Annotated[str, StringConstraints(max_length=500)]


def single_line(text: str) -> str:
    """Return `text`.

    Raises:
        ValueError: it has control characters or line breaks.
    """
    if has_control_characters(text):
        raise ValueError(NOT_ONE_LINE)
    return text


def in_normal_form(recipient: str, info: ValidationInfo) -> str:
    """Bring `recipient` into the normal form of the model's earlier field `type`.

    Raises:
        ValueError: it is no recipient of that type.
    """
    return normalised(info.data["type"], recipient) if "type" in info.data else recipient


def normalised(channel: Channel, recipient: str) -> str:
    """Bring `recipient` into the normal form of the channel's.

    Raises:
        ValueError: it is no recipient of that channel.
    """
    try:
        return normalise(channel, recipient)
    except RecipientError as error:
        raise ValueError(str(error)) from error


WrittenRecipient = Annotated[
    str,
    Field(
        min_length=1,
        max_length=320,
        description="An email address, a telephone number with + and its country's code, or a "
        "user id of up to 200 printable characters. What is never part of an address is left out: "
        "white space around it, invisible characters, a dot at the end, and what is written "
        "between the digits of a number.",
    ),
]
WireRecipient = Annotated[WrittenRecipient, AfterValidator(in_normal_form)]
