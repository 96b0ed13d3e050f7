"""The images of templates: attachments that were uploaded before."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, TypeAlias
from uuid import UUID

from pydantic import BeforeValidator, Field, WithJsonSchema

from notifier.content.attachment import Attachment, AttachmentLimits, Files
from notifier.content.files import CONTENT_ID_PATTERN, is_image
from notifier.content.ports import Checked
from notifier.content.template import Content, Finding, Severity
from notifier.expecting import WrittenAs


def _id(value: object) -> UUID:
    try:
        return UUID(str(value))
    except ValueError as error:
        message = "expected the id of an attachment"
        raise ValueError(message) from error


_NAME_WORDS = (
    "expected a name such as logo.png: a letter or digit, then letters, digits, dots, dashes and "
    "underscores, 64 at most"
)
Images: TypeAlias = Annotated[
    dict[
        Annotated[str, WrittenAs(CONTENT_ID_PATTERN, _NAME_WORDS)],
        Annotated[UUID, BeforeValidator(_id), WithJsonSchema({"type": "string", "format": "uuid"})],
    ],
    Field(
        max_length=20,
        description="Uploaded images that the html of emails shows, as `cid:` and their name here.",
    ),
]


@dataclass(frozen=True, slots=True)
class ImageDesk:
    """Looks up whether the images of a content are there."""

    files: Files
    limits: AttachmentLimits

    async def looked_up(self, content: Content, checked: Checked, service: str) -> Checked:
        """Return what was found in a content, and whether its images are there.

        Raises:
            StoreUnavailableError: they could not be looked up.
        """
        images = (checked.compiled or content).images
        if not images:
            return checked
        held = await self.files.hold(set(images.values()), service=service)
        found = [_finding(words) for words in self._faults(images, held)]
        if not found:
            return checked
        return replace(checked, findings=[*checked.findings, *found], compiled=None)

    def _faults(self, images: Mapping[str, UUID], held: Mapping[UUID, Attachment]) -> Iterator[str]:
        for name, id in images.items():
            if id not in held:
                yield f"{name}: no attachment of this service has that id; upload it again"
            elif not is_image(held[id].type):
                yield f"{name}: it is no image, but {held[id].type}"
        size = sum(each.sent_bytes for each in held.values())
        if size > self.limits.max_mail_bytes:
            most = self.limits.max_mail_bytes
            yield f"they take {size} bytes in a mail, as base64, and at most {most} are sent"


def _finding(words: str) -> Finding:
    return Finding(severity=Severity.ERROR, code="image", detail=words)
