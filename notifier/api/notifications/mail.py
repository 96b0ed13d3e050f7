"""What a mail has besides its content, as clients send it: its shape alone."""

from typing import Annotated, TypeAlias
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from notifier.intake.attaching import MAX_ATTACHMENTS
from notifier.intake.headers import MAX_HEADERS, MAX_NAME_CHARS, MAX_VALUE_CHARS

HeaderName = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_CHARS)]
HeaderValue = Annotated[str, StringConstraints(min_length=1, max_length=MAX_VALUE_CHARS)]

From: TypeAlias = Annotated[
    str | None,
    Field(
        alias="from",
        min_length=1,
        max_length=64,
        description="The name of one of the service's senders, as whom an email is sent; "
        "without it `default`, if there is one, else NOTIFIER_EMAIL__SENDER.",
    ),
]
ReplyTo: TypeAlias = Annotated[
    str | None,
    Field(
        min_length=3,
        max_length=500,
        description="Where answers to an email go, such as `Help <help@shop.example>`; "
        "without it, where its sender says.",
    ),
]
Headers: TypeAlias = Annotated[
    dict[HeaderName, HeaderValue] | None,
    Field(
        max_length=MAX_HEADERS,
        description="Headers of an email: List-Id, List-Unsubscribe, List-Unsubscribe-Post, "
        "List-Help, List-Subscribe, List-Owner, List-Archive, In-Reply-To, References, "
        "Feedback-ID, Importance, Priority, Sensitivity, Precedence, and X- ones that no "
        "provider goes by.",
    ),
]


def _attachment_id(value: object) -> UUID:
    try:
        return UUID(str(value))
    except ValueError as error:
        message = "expected the id of an attachment"
        raise ValueError(message) from error


class AttachmentShape(BaseModel):
    """A file to send along."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    id: Annotated[
        UUID,
        BeforeValidator(_attachment_id),
        WithJsonSchema({"type": "string", "format": "uuid"}),
        Field(description="What the upload answered."),
    ]
    inline: Annotated[
        bool,
        Field(description="An image that the html shows as `cid:` and the file's name."),
    ] = False


Attachments: TypeAlias = Annotated[
    list[AttachmentShape],
    Field(
        max_length=MAX_ATTACHMENTS,
        description="Files to send along, uploaded before. Emails only.",
    ),
]
