"""What clients send: models that check every field and report all that are wrong at once.

Bodies are parsed by `notifier.api.kit.body` first, so models see plain JSON values. Checks that
need more than one field sit on the later field and are silent when an earlier one is wrong.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic import JsonValue as PydanticJson
from pydantic_core import ErrorDetails, to_json

from notifier.api.kit.body import Path, is_plainly_storable, pointer, unstorable
from notifier.api.kit.problems import InvalidField
from notifier.audience.recipient import has_control_characters, normalise
from notifier.content.filling import fill_html, fill_text
from notifier.errors import RecipientError, TemplateError
from notifier.intake.ports import Submission
from notifier.notification.model import Channel, JsonValue, Lane, OnUnknown
from notifier.notification.outcomes import SuppressionReason

MAX_CONTENT_CHARS = 100_000
MAX_HTML_CHARS = 500_000
MAX_SMS_CHARS = 1_600
MAX_SUBJECT_CHARS = 998
MAX_VARIABLES_BYTES = 100_000
MAX_BATCH = 1_000
MAX_DELAY = timedelta(days=366)

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_TYPES: Mapping[str, Channel] = {**{each.value: each for each in Channel}, "in-app": Channel.IN_APP}
_LANES: Mapping[str, Lane] = {each.value: each for each in Lane}
_VALUE_ERROR = "Value error, "
_DETAILS = {
    "extra_forbidden": "unknown field",
    "missing": "this field is required",
    "model_type": "expected an object",
    "dict_type": "expected an object",
    "list_type": "expected an array",
    "string_type": "expected a string",
    "bool_type": "expected true or false",
}


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


def _lane(value: object) -> Lane:
    if not isinstance(value, str) or value not in _LANES:
        message = f"expected one of {', '.join(_LANES)}"
        raise ValueError(message)
    return _LANES[value]


def _on_unknown(value: object) -> OnUnknown | None:
    if value is None:
        return None
    known = {each.value: each for each in OnUnknown}
    if not isinstance(value, str) or value not in known:
        message = f"expected one of {', '.join(known)}"
        raise ValueError(message)
    return known[value]


def _bounded(variables: dict[str, PydanticJson]) -> dict[str, PydanticJson]:
    if len(to_json(variables)) > MAX_VARIABLES_BYTES:
        message = f"expected at most {MAX_VARIABLES_BYTES} bytes of JSON"
        raise ValueError(message)
    return variables


def _single_line(subject: str) -> str:
    if has_control_characters(subject):
        message = "control characters and line breaks are not allowed"
        raise ValueError(message)
    return subject


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
WireLane = Annotated[
    Lane,
    BeforeValidator(_lane),
    WithJsonSchema({"type": "string", "enum": [each.value for each in Lane]}),
]
WireOnUnknown = Annotated[
    OnUnknown | None,
    BeforeValidator(_on_unknown),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "enum": [each.value for each in OnUnknown]},
                {"type": "null"},
            ]
        }
    ),
]
MetadataName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
MetadataValue = Annotated[str, StringConstraints(max_length=500)]


def in_normal_form(recipient: str, info: ValidationInfo) -> str:
    """Bring `recipient` into the normal form of the model's earlier field `type`.

    Raises:
        ValueError: it is no recipient of that type.
    """
    if "type" not in info.data:
        return recipient
    try:
        return normalise(info.data["type"], recipient)
    except RecipientError as error:
        raise ValueError(str(error)) from error


WireRecipient = Annotated[
    str,
    Field(
        min_length=1,
        max_length=320,
        description="An email address, a telephone number with + and its country's code, or a "
        "user id of up to 200 printable characters. What is never part of an address is left out: "
        "white space around it, invisible characters, a dot at the end, and what is written "
        "between the digits of a number.",
    ),
    AfterValidator(in_normal_form),
]


@dataclass(frozen=True, slots=True)
class Terms:
    """What requests are checked against, besides themselves."""

    now: datetime
    channels: frozenset[Channel]


_EXAMPLES: list[JsonValue] = [
    {
        "type": "email",
        "recipient": "anna@example.com",
        "subject": "Your order {{ order.id }}",
        "content": "Hello {{ name }}, your order over {{ order.total }} is on its way.",
        "html": "<p>Hello {{ name }}, your order over <b>{{ order.total }}</b> is on its way.</p>",
        "variables": {"name": "Anna", "order": {"id": 42, "total": "12.50 EUR"}},
        "metadata": {"order_id": "42"},
    },
    {
        "type": "sms",
        "recipient": "+491701234567",
        "content": "Your code is {{ code }}.",
        "variables": {"code": "914 302"},
        "priority": "high",
        "sensitive": True,
    },
    {"type": "in_app", "recipient": "user-42", "content": "Anna replied to you."},
]


class NotificationRequest(BaseModel):
    """A notification to send."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra={"examples": _EXAMPLES},
    )

    type: Annotated[WireType, Field(description="The channel. `in-app` means `in_app`.")]
    sensitive: Annotated[
        bool,
        Field(
            description="For one-time codes and the like: content, subject, html and variables "
            "are never shown by any endpoint, and are erased at the final state. Not for in_app."
        ),
    ] = False
    recipient: WireRecipient
    variables: Annotated[
        dict[str, PydanticJson] | None,
        AfterValidator(lambda value: None if value is None else _bounded(value)),
        Field(
            description="What `{{ name }}` stands for in subject, content and html; "
            "`{{ order.total }}` reaches into objects. At most 100,000 bytes.",
        ),
    ] = None
    content: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_CONTENT_CHARS,
            description="The text, a template. Filled in, an SMS has at most 1,600 characters.",
        ),
    ]
    subject: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_SUBJECT_CHARS,
            validate_default=True,
            description="One line, a template. Emails need one, an SMS has none.",
        ),
    ] = None
    html: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_HTML_CHARS,
            description="The same as HTML, a template whose variables are escaped. Emails only.",
        ),
    ] = None
    priority: Annotated[WireLane, Field(description="How urgent it is.")] = Lane.NORMAL
    send_at: Annotated[
        WireTime | None,
        Field(description="Not before this time, at most a year ahead; if past, at once."),
    ] = None
    expires_at: Annotated[
        WireTime | None, Field(description="Not after this time; in the future, after `send_at`.")
    ] = None
    on_unknown: Annotated[
        WireOnUnknown,
        Field(
            description="What to do when a provider may or may not have taken it: `resend` (the "
            "recipient may get it twice) or `hold` (it fails instead). The channel's own policy "
            "if absent."
        ),
    ] = None
    metadata: Annotated[
        dict[MetadataName, MetadataValue],
        Field(
            max_length=20,
            description="Your own references, to find it by.",
            json_schema_extra={"additionalProperties": False},
        ),
    ] = Field(default_factory=dict)

    @field_validator("type")
    @classmethod
    def _is_on(cls, channel: Channel, info: ValidationInfo) -> Channel:
        if channel not in _terms(info).channels:
            message = f"{channel} is turned off here"
            raise ValueError(message)
        return channel

    @field_validator("sensitive")
    @classmethod
    def _not_in_an_inbox(cls, sensitive: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - pydantic calls it
        if sensitive and info.data.get("type") is Channel.IN_APP:
            message = "an inbox shows its content, so in_app notifications cannot be sensitive"
            raise ValueError(message)
        return sensitive

    @field_validator("content")
    @classmethod
    def _fills(cls, content: str, info: ValidationInfo) -> str:
        is_sms = info.data.get("type") is Channel.SMS
        _filled(content, info, max_chars=MAX_SMS_CHARS if is_sms else MAX_CONTENT_CHARS)
        return content

    @field_validator("subject")
    @classmethod
    def _suits_its_channel(cls, subject: str | None, info: ValidationInfo) -> str | None:
        match info.data.get("type"), subject:
            case Channel.EMAIL, None:
                message = "an email needs a subject"
                raise ValueError(message)
            case Channel.SMS, str():
                message = "an SMS has no subject"
                raise ValueError(message)
            case _, str():
                _single_line(subject)
                _single_line(_filled(subject, info, max_chars=MAX_SUBJECT_CHARS))
        return subject

    @field_validator("html")
    @classmethod
    def _only_in_mail(cls, html: str | None, info: ValidationInfo) -> str | None:
        if html is None:
            return None
        if info.data.get("type") not in (Channel.EMAIL, None):
            message = "only an email has html"
            raise ValueError(message)
        _filled(html, info, max_chars=MAX_HTML_CHARS, is_html=True)
        return html

    @field_validator("send_at")
    @classmethod
    def _within_a_year(cls, send_at: datetime | None, info: ValidationInfo) -> datetime | None:
        if send_at is not None and send_at > _terms(info).now + MAX_DELAY:
            message = "expected a time at most a year ahead"
            raise ValueError(message)
        return send_at

    @field_validator("expires_at")
    @classmethod
    def _still_ahead(cls, expires_at: datetime | None, info: ValidationInfo) -> datetime | None:
        if expires_at is None:
            return None
        if expires_at <= _terms(info).now:
            message = "expected a time in the future"
            raise ValueError(message)
        send_at = info.data.get("send_at")
        if send_at is not None and expires_at <= send_at:
            message = "expected a time after send_at"
            raise ValueError(message)
        return expires_at

    @classmethod
    def read(
        cls, value: JsonValue, terms: Terms, *, path: Path = ()
    ) -> "NotificationRequest | list[InvalidField]":
        """Check `value`, found at `path` of the body; all that is wrong with it otherwise."""
        return read_strictly(cls, value, path=path, context={"terms": terms})

    def submission(
        self, id: UUID, *, service: str, now: datetime, traceparent: str | None
    ) -> Submission:
        """Return it as a submission of `service`."""
        return Submission(
            id=id,
            service=service,
            channel=self.type,
            lane=self.priority,
            recipient=self.recipient,
            content=self.content,
            subject=self.subject,
            html=self.html,
            variables=self.variables,
            metadata=self.metadata,
            send_at=self.send_at if self.send_at and self.send_at > now else None,
            expires_at=self.expires_at,
            sensitive=self.sensitive,
            on_unknown=self.on_unknown,
            traceparent=traceparent,
        )


class BatchRequest(BaseModel):
    """Up to 1,000 notifications, accepted in one transaction."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    notifications: Annotated[list[NotificationRequest], Field(min_length=1, max_length=MAX_BATCH)]


class BatchFrame(BaseModel):
    """A batch before its items are looked at one by one."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    notifications: Annotated[list[PydanticJson], Field(min_length=1, max_length=MAX_BATCH)]


def _reason(value: object) -> SuppressionReason:
    known = {each.value: each for each in SuppressionReason}
    if not isinstance(value, str) or value not in known:
        message = f"expected one of {', '.join(known)}"
        raise ValueError(message)
    return known[value]


class SuppressionRequest(BaseModel):
    """An address not to send to."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    type: Annotated[WireType, Field(description="The channel. `in-app` means `in_app`.")]
    recipient: WireRecipient
    reason: Annotated[
        SuppressionReason,
        BeforeValidator(_reason),
        WithJsonSchema({"type": "string", "enum": [each.value for each in SuppressionReason]}),
        Field(description="Why."),
    ] = SuppressionReason.MANUAL


class PauseRequest(BaseModel):
    """Why a provider is not to be asked."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    reason: Annotated[
        str,
        StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,200}$"),
        AfterValidator(_single_line),
        Field(description="One line, for other operators."),
    ]


MAX_ERRORS = 100
_MAX_LISTED = 1_000
_MAX_NAME = 200
Model = TypeVar("Model", bound=BaseModel)


def read_strictly(
    model: type[Model],
    value: JsonValue,
    *,
    path: Path = (),
    context: Mapping[str, object] | None = None,
) -> Model | list[InvalidField]:
    """Check `value`, found at `path` of the body; what is wrong with it otherwise.

    That is all of it, or the first `MAX_ERRORS`.
    """
    wrong = [] if is_plainly_storable(value) else list(islice(unstorable(value, path), MAX_ERRORS))
    checked = read_model(model, value, path=path, context=context)
    if not isinstance(checked, list):
        return wrong or checked
    known = {each.where for each in wrong}
    return wrong + [each for each in checked if each.where not in known]


def read_model(
    model: type[Model],
    value: object,
    *,
    path: Path = (),
    context: Mapping[str, object] | None = None,
    are_parameters: bool = False,
) -> Model | list[InvalidField]:
    """Check `value` against `model`; all that is wrong with it, or a part of it, otherwise."""
    try:
        return model.model_validate(value, context=dict(context or {}))
    except ValidationError as error:
        if error.error_count() > _MAX_LISTED:
            return [InvalidField(pointer(path), f"{error.error_count()} things are wrong with it")]
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        found = _invalid_fields(errors[:MAX_ERRORS], path, are_parameters=are_parameters)
        return list(found)


def _invalid_fields(
    errors: Iterable[ErrorDetails], path: Path, *, are_parameters: bool
) -> Iterable[InvalidField]:
    for error in errors:
        # Names of dict keys are reported one level below the key, as [key].
        location = tuple(
            part if isinstance(part, int) else part[:_MAX_NAME]
            for part in error["loc"]
            if part != "[key]"
        )
        detail = _DETAILS.get(error["type"], error["msg"].removeprefix(_VALUE_ERROR))
        if are_parameters:
            yield InvalidField(".".join(map(str, location)), detail, is_parameter=True)
        else:
            yield InvalidField(pointer((*path, *location)), detail)


def _terms(info: ValidationInfo) -> Terms:
    terms: Terms = (info.context or {})["terms"]
    return terms


def _filled(template: str, info: ValidationInfo, *, max_chars: int, is_html: bool = False) -> str:
    if "variables" not in info.data:
        return template
    fill = fill_html if is_html else fill_text
    try:
        text = fill(template, info.data["variables"] or {}, max_chars=max_chars)
    except TemplateError as error:
        raise ValueError(str(error)) from error
    if not text.strip():
        message = "empty once its variables are filled in"
        raise ValueError(message)
    return text
