"""What clients send and ask for."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)
from pydantic import JsonValue as PydanticJson

from notifier.api.kit.body import Path, pointer
from notifier.api.kit.checking import read_model, read_strictly
from notifier.api.kit.fields import (
    Locale,
    MetadataName,
    MetadataValue,
    WireLane,
    WireTemplate,
    WireTime,
    WireType,
    WireVariables,
)
from notifier.api.kit.problems import InvalidField
from notifier.api.kit.querying import (
    QueryModel,
    Service,
)
from notifier.api.notifications.addressing import Category, OfPerson, Recipient
from notifier.api.notifications.mail import Attachments, From, Headers, ReplyTo
from notifier.content.links import MAX_ACTION_URL_CHARS
from notifier.intake.addressing import NEITHER
from notifier.intake.draft import AttachmentWish, Draft
from notifier.intake.inline import MAX_CONTENT_CHARS, MAX_HTML_CHARS, MAX_SUBJECT_CHARS
from notifier.notification.model import JsonValue, Lane, OnUnknown
from notifier.value import value

MAX_BATCH = 1_000
MAX_SEND_VALUES = 10_000
MAX_BATCH_VALUES = 100_000
MAX_METADATA = 20
"""Of a notification."""


class CancelQuery(QueryModel):
    """Whose notifications."""

    service: Service = None


class CancelRequest(BaseModel):
    """What is to be taken back."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    key: Annotated[
        str,
        Field(min_length=1, max_length=200, description="The key that a rule made it with."),
    ]


def _on_unknown(value: object) -> OnUnknown | None:
    if value is None:
        return None
    known = {each.value: each for each in OnUnknown}
    if not isinstance(value, str) or value not in known:
        message = f"expected one of {', '.join(known)}"
        raise ValueError(message)
    return known[value]


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
            description="For one-time codes and the like: content, subject, html, variables, and "
            "what a mail has besides, are never shown by any endpoint, and are erased at the final "
            "state. Not for in_app."
        ),
    ] = False
    recipient: Recipient = None
    user_id: OfPerson = None
    category: Category = None
    variables: Annotated[
        WireVariables,
        Field(
            description="What `{{ name }}` stands for in subject, content and html; "
            "`{{ order.total }}` reaches into objects. At most 100,000 bytes.",
        ),
    ] = None
    template: Annotated[
        WireTemplate,
        Field(
            description="A published template by its name, instead of content, subject and html; "
            "with `version`, that one. What is published later changes nothing."
        ),
    ] = None
    locale: Annotated[
        Locale | None,
        Field(
            description="The language of the template, such as `de-AT`: the next best if it has "
            "none, its default otherwise.",
        ),
    ] = None
    content: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_CONTENT_CHARS,
            description="The text, with `{{ name }}`. How many messages an SMS may be "
            "is a setting, 10 by default. Needed without a template; an email's is made from its "
            "html if absent.",
        ),
    ] = None
    subject: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_SUBJECT_CHARS,
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
    action_url: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_ACTION_URL_CHARS,
            description="Where it leads, a template: an https address, or a path of your own app "
            "that begins with one /. In_app only.",
        ),
    ] = None
    from_: From = None
    reply_to: ReplyTo = None
    headers: Headers = None
    literal: Annotated[
        bool,
        Field(
            description="Content, subject and html are finished: braces in them are just braces, "
            "and there are no variables."
        ),
    ] = False
    sanitise: Annotated[
        bool,
        Field(
            description="Send only what is harmless of html, cleaned once its variables are "
            "filled in; content, subject and html are kept as filled. Without it, html is sent "
            "as it came."
        ),
    ] = False
    attachments: Attachments = Field(default_factory=list)
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
            max_length=MAX_METADATA,
            description="Your own references, to find it by.",
            json_schema_extra={"additionalProperties": False},
        ),
    ] = Field(default_factory=dict)

    def draft(self) -> Draft:
        """Return what is to be sent; nothing but its shape is checked."""
        return Draft(
            channel=self.type,
            recipient=self.recipient,
            user_id=self.user_id,
            category=self.category,
            content=self.content,
            subject=self.subject,
            html=self.html,
            action_url=self.action_url,
            variables=self.variables,
            lane=self.priority,
            metadata=self.metadata,
            send_at=self.send_at,
            expires_at=self.expires_at,
            sensitive=self.sensitive,
            on_unknown=self.on_unknown,
            template=self.template,
            locale=self.locale,
            sender=self.from_,
            reply_to=self.reply_to,
            headers=self.headers,
            literal=self.literal,
            sanitise=self.sanitise,
            attachments=tuple(AttachmentWish(each.id, each.inline) for each in self.attachments),
        )


@value
class Reading:
    """A notification as it was read at `path`: what is good of it, and what has a wrong shape.

    `draft` holds nothing that was sent in the fields that are `wrong`.
    """

    path: Path
    draft: Draft
    errors: list[InvalidField] = field(default_factory=list)
    wrong: frozenset[str] = frozenset()


_FIELDS = frozenset(field.alias or name for name, field in NotificationRequest.model_fields.items())
_STAND_INS: Mapping[str, JsonValue] = {"type": "in_app", "recipient": "-"}


def read_notification(found: JsonValue, *, path: Path = ()) -> Reading:
    """Read what was found at `path` of the body."""
    read = read_strictly(NotificationRequest, found, path=path)
    if not isinstance(read, list):
        return Reading(path=path, draft=read.draft())
    known = found if isinstance(found, dict) else {}
    if isinstance(found, dict) and found.keys().isdisjoint(("recipient", "user_id")):
        read.append(InvalidField(pointer((*path, "recipient")), NEITHER))
    wrong = _wrong_fields(read, path)
    good = {name: each for name, each in known.items() if name in _FIELDS - wrong}
    rest = read_model(NotificationRequest, {**_STAND_INS, **good})
    if isinstance(rest, list):  # so much is wrong that not all of it was told
        nothing = NotificationRequest.model_validate(_STAND_INS)
        return Reading(path=path, draft=nothing.draft(), errors=read, wrong=_FIELDS)
    return Reading(path=path, draft=rest.draft(), errors=read, wrong=wrong)


def _wrong_fields(errors: Sequence[InvalidField], path: Path) -> frozenset[str]:
    above = pointer(path)
    if any(each.where == above for each in errors):
        return _FIELDS
    return frozenset(each.where.removeprefix(above).split("/")[1] for each in errors)


class BatchRequest(BaseModel):
    """Up to 1,000 notifications, accepted in one transaction."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    notifications: Annotated[list[NotificationRequest], Field(min_length=1, max_length=MAX_BATCH)]


class BatchFrame(BaseModel):
    """A batch before its items are looked at one by one."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    notifications: Annotated[list[PydanticJson], Field(min_length=1, max_length=MAX_BATCH)]

    def __len__(self) -> int:
        return len(self.notifications)
