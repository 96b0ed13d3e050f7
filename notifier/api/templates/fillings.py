"""What of a template to fill, as clients say it, and what they are shown of it."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, ValidationInfo
from pydantic import JsonValue as PydanticJson

from notifier.api.kit.fields import Locale, WireRecipient, WireType
from notifier.api.kit.views import View
from notifier.api.templates.parts import Shape
from notifier.api.templates.shapes import TemplateName
from notifier.content.template import Rendered
from notifier.notification.model import Channel


def _either(draft: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - pydantic calls it so
    if draft and info.data.get("version") is not None:
        message = "the draft or a version, not both"
        raise ValueError(message)
    return draft


class FillingRequest(Shape):
    """What of a template to fill, and with what."""

    type: Annotated[WireType, Field(description="The channel.")]
    version: Annotated[
        int | None, Field(ge=1, le=2_000_000_000, description="Absent: the draft.")
    ] = None
    draft: Annotated[
        bool,
        AfterValidator(_either),
        Field(description="The draft, which is also what no version means."),
    ] = False
    locale: Annotated[Locale | None, Field(description="The best of its languages for this.")] = (
        None
    )
    variables: dict[str, PydanticJson] | None = None
    example: Annotated[
        int | None, Field(ge=0, lt=20, description="Which example, if no variables are given.")
    ] = None


class RenderRequest(FillingRequest):
    """What to fill a template with, for a look at it."""

    drafts: Annotated[
        list[TemplateName],
        Field(max_length=20, description="Partials to take in as they are written by now."),
    ] = []  # noqa: RUF012 - pydantic copies it


class TestRequest(FillingRequest):
    """What to send as a test, and to whom."""

    __test__ = False

    to: Annotated[
        WireRecipient,
        Field(description="An address that the operator allows; in the sandbox, any."),
    ]


class TestSentView(View):
    """A test that was accepted: a notification as any other."""

    __test__ = False

    id: UUID
    status: Literal["pending"] = "pending"
    type: Channel


class RenderedView(View):
    """A template, filled; nothing was stored or sent."""

    locale: str | None
    subject: str | None
    text: str
    html: str | None
    action_url: str | None
    text_chars: int
    html_bytes: int | None

    @classmethod
    def of(cls, it: Rendered) -> Self:
        """View `it`."""
        return cls(
            locale=it.locale,
            subject=it.subject,
            text=it.text,
            html=it.html,
            action_url=it.action_url,
            text_chars=len(it.text),
            html_bytes=len(it.html.encode()) if it.html is not None else None,
        )
