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
from pydantic import JsonValue as PydanticJson
from pydantic_core import to_json

from notifier.audience.recipient import NOT_ONE_LINE, has_control_characters, normalise
from notifier.audience.user_id import MAX_USER_ID_CHARS, user_id_fault
from notifier.content.template import LOCALE_PATTERN, NAME_PATTERN, TemplateRef, is_template_name
from notifier.errors import RecipientError
from notifier.expecting import WrittenAs
from notifier.notification.model import Channel, JsonValue, Lane

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
MAX_VARIABLES_BYTES = 100_000
_LANES: Mapping[str, Lane] = {each.value: each for each in Lane}
TYPES: Mapping[str, Channel] = {**{each.value: each for each in Channel}, "in-app": Channel.IN_APP}


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
    if not isinstance(value, str) or value not in TYPES:
        message = "expected one of email, sms, in_app"
        raise ValueError(message)
    return TYPES[value]


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
    WithJsonSchema({"type": "string", "enum": list(TYPES)}),
]
METADATA_NAME = WrittenAs(
    r"^[A-Za-z0-9_.-]{1,64}$",
    "expected a name of 1 to 64 letters a to z, digits, dots, dashes and underscores",
)
MetadataName = Annotated[str, METADATA_NAME]
CategoryKey = Annotated[
    str,
    WrittenAs(
        r"^[a-z0-9_.-]{1,64}$",
        "expected a category's key such as news.weekly: a to z, 0 to 9, dots, dashes and "
        "underscores, 64 at most",
    ),
]
LOCALE = WrittenAs(LOCALE_PATTERN, "expected a language's tag, such as en or de-AT")
Locale = Annotated[str, LOCALE]
MAX_METADATA_CHARS = 500
MetadataValue = Annotated[str, StringConstraints(max_length=MAX_METADATA_CHARS)]


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


def user_id(text: str) -> str:
    """Return `text`.

    Raises:
        ValueError: nobody can have it as their user id.
    """
    if fault := user_id_fault(text):
        raise ValueError(fault)
    return text


UserId = Annotated[
    str,
    AfterValidator(user_id),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_USER_ID_CHARS,
            "description": "The service's own id of somebody: printable characters in one line.",
        }
    ),
]
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


def _lane(value: object) -> Lane:
    if not isinstance(value, str) or value not in _LANES:
        message = f"expected one of {', '.join(_LANES)}"
        raise ValueError(message)
    return _LANES[value]


WireLane = Annotated[
    Lane,
    BeforeValidator(_lane),
    WithJsonSchema({"type": "string", "enum": [each.value for each in Lane]}),
]


def parse_template(value: object) -> TemplateRef | None:
    """Read a template by its name, or by name and version.

    Raises:
        ValueError: it is neither.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return TemplateRef(_template_name(value))
    if not isinstance(value, dict) or not {"name"} <= value.keys() <= {"name", "version"}:
        message = "expected a name, or an object of a name and a version"
        raise ValueError(message)
    number = value.get("version")
    if number is not None and (type(number) is not int or number < 1):
        message = "expected a version's number, from 1"
        raise ValueError(message)
    return TemplateRef(_template_name(value["name"]), number)


def _template_name(value: object) -> str:
    if not isinstance(value, str) or not is_template_name(value):
        message = "expected a template's name, such as booking.confirmed"
        raise ValueError(message)
    return value


_NAME_SCHEMA: Mapping[str, JsonValue] = {"type": "string", "pattern": NAME_PATTERN}
WireTemplate = Annotated[
    TemplateRef | None,
    BeforeValidator(parse_template),
    WithJsonSchema(
        {
            "anyOf": [
                _NAME_SCHEMA,
                {
                    "type": "object",
                    "properties": {
                        "name": _NAME_SCHEMA,
                        "version": {"type": "integer", "minimum": 1},
                    },
                    "required": ["name"],
                    "additionalProperties": False,
                },
                {"type": "null"},
            ]
        }
    ),
]


def bounded(variables: dict[str, PydanticJson] | None) -> dict[str, PydanticJson] | None:
    """Return `variables`.

    Raises:
        ValueError: they are too many.
    """
    if variables and len(to_json(variables)) > MAX_VARIABLES_BYTES:
        message = f"expected at most {MAX_VARIABLES_BYTES} bytes of JSON"
        raise ValueError(message)
    return variables


WireVariables = Annotated[dict[str, PydanticJson] | None, AfterValidator(bounded)]
