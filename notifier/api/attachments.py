"""The endpoints for attachments: files are uploaded first, and sends refer to them."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, Field
from starlette.responses import Response

from notifier.api.kit.answers import Answer, location, ok
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import (
    INVALID,
    NOT_FOUND,
    RATE_LIMITED,
    WRONG_STATE,
    InvalidField,
    ProblemError,
    invalid,
    invalid_parameter,
    not_found,
    there,
)
from notifier.api.kit.querying import QueryModel
from notifier.api.kit.uploads import Upload, UploadRules
from notifier.api.kit.views import View
from notifier.content.attachment import (
    CHUNK_BYTES,
    Attachment,
    AttachmentLimits,
    Attachments,
    InUse,
    TooMuchUnused,
)
from notifier.content.files import KINDS, MAX_NAME_CHARS, clean_name, name_fault
from notifier.content.uploading import Filing, Misfit, Received
from notifier.idempotency import NotFound

PREFIX = "/api/v1/attachments"

_TAG = "Attachments"


def _digest(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[0-9A-Fa-f]{64}", value, re.ASCII):
        message = "expected a SHA-256, 64 hexadecimal digits"
        raise ValueError(message)
    return value and value.lower()


class UploadQuery(QueryModel):
    """What is told of a file besides its type."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=2 * MAX_NAME_CHARS,
            description="The file's name as recipients get it, such as `invoice.pdf`: its end has "
            "to be one of its type's. Folders before it are left out.",
        ),
    ]
    sha256: Annotated[
        str | None,
        AfterValidator(_digest),
        Field(description="SHA-256 of the content, hexadecimal: refused if it is another."),
    ] = None


class AttachmentView(View):
    """A file that sends can refer to."""

    id: UUID
    service: str
    name: str
    type: str
    size: Annotated[int, Field(description="In bytes.")]
    sha256: Annotated[str, Field(description="Of its content, hexadecimal.")]

    @classmethod
    def of(cls, it: Attachment) -> Self:
        """View `it`."""
        return cls(
            id=it.id, service=it.service, name=it.name, type=it.type, size=it.size, sha256=it.sha256
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentEndpoints:
    """Takes files, and tells what is known of them."""

    attachments: Attachments
    filing: Filing
    limits: AttachmentLimits
    new_id: Callable[[], UUID]
    upload_timeout_s: float

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._uploading(), self._showing(), self._removing())

    async def upload(self, call: Call[Upload, UploadQuery]) -> Response:
        """Keep a file."""
        name, type = clean_name(call.query.name), call.body.type
        if fault := name_fault(name, KINDS[type]):
            raise invalid_parameter("name", fault)
        async with self._begun(call, name) as id:
            received = await self.filing.receive(id, KINDS[type], call.body.chunks(CHUNK_BYTES))
            if fault := _content_fault(received, call):
                raise invalid([InvalidField("", fault)])
            assert isinstance(received, Received)  # noqa: S101  a misfit is a fault
            return await self._complete(call, id, name, received)

    @asynccontextmanager
    async def _begun(self, call: Call[Upload, UploadQuery], name: str) -> AsyncIterator[UUID]:
        """Note a file for the length of the block; nothing stays of it if that fails."""
        id = self.new_id()
        begun = await self.attachments.begin(
            id=id,
            service=call.caller.service,
            name=name,
            type=call.body.type,
            limits=self.limits,
        )
        if isinstance(begun, TooMuchUnused):
            raise self._too_much()
        try:
            yield id
        except BaseException:
            await self.filing.give_up(id)
            raise

    async def _complete(
        self, call: Call[Upload, UploadQuery], id: UUID, name: str, received: Received
    ) -> Response:
        view = AttachmentView(
            id=id,
            service=call.caller.service,
            name=name,
            type=call.body.type,
            size=received.size,
            sha256=received.sha256,
        )
        answer = Answer(
            status=HTTPStatus.CREATED,
            body=view.json_value(),
            headers={"Location": location(call.request, f"{PREFIX}/{id}")},
        )
        change = partial(
            self.attachments.complete,
            id,
            size=received.size,
            sha256=received.sha256,
            limits=self.limits,
        )
        told = f"{view.type}\0{received.sha256}".encode()
        response = await call.told_by(told).once(change, answer)
        assert isinstance(response, Response)  # noqa: S101  it comes to nothing else
        if "idempotency-replayed" in response.headers:
            await self.filing.give_up(id)
        return response

    async def show(self, call: Call[None, None]) -> Response:
        """Show what is known of a file."""
        found = there(await self.attachments.find(call.named("id"), service=call.caller.sees))
        return ok(AttachmentView.of(found))

    async def remove(self, call: Call[None, None]) -> Response:
        """Remove a file that nothing refers to."""
        match await self.attachments.remove(call.named("id"), service=call.caller.sees):
            case NotFound():
                raise not_found()
            case InUse():
                detail = "A notification or a template refers to it: it goes when that does."
                raise ProblemError(WRONG_STATE, detail)
            case _:
                return Response(status_code=HTTPStatus.NO_CONTENT)

    def _too_much(self) -> ProblemError:
        most = self.limits.max_unused_bytes
        detail = (
            f"Over {most} bytes of files are there that nothing refers to: send or remove some."
        )
        return ProblemError(RATE_LIMITED, detail, headers={"Retry-After": "60"})

    def _uploading(self) -> Operation:
        return Operation(
            id="uploadAttachment",
            method="POST",
            path=PREFIX,
            summary="Upload a file, to be attached by its id",
            description="The body is the file as it is. What no send and no template refers to is "
            "erased after a day.",
            tag=_TAG,
            serve=self.upload,
            scope="send",
            query=UploadQuery,
            upload=UploadRules(
                types=tuple(KINDS),
                max_bytes=self.limits.max_bytes,
                timeout_s=self.upload_timeout_s,
            ),
            is_idempotent=True,
            replies={
                201: Reply(description="It is kept", model=AttachmentView, headers=("Location",))
            },
            problems=(INVALID,),
        )

    def _showing(self) -> Operation:
        return Operation(
            id="getAttachment",
            method="GET",
            path=f"{PREFIX}/{{id:uuid}}",
            summary="What is known of an attachment",
            description="Its content is told to nobody but its recipients.",
            tag=_TAG,
            serve=self.show,
            scope="read",
            replies={200: Reply(description="The attachment", model=AttachmentView)},
            problems=(NOT_FOUND,),
        )

    def _removing(self) -> Operation:
        return Operation(
            id="removeAttachment",
            method="DELETE",
            path=f"{PREFIX}/{{id:uuid}}",
            summary="Remove an attachment that nothing refers to",
            tag=_TAG,
            serve=self.remove,
            scope="send",
            replies={204: Reply(description="It is gone")},
            problems=(NOT_FOUND, WRONG_STATE),
        )


def _content_fault(received: Received | Misfit, call: Call[Upload, UploadQuery]) -> str | None:
    if isinstance(received, Misfit):
        return f"expected content of the type {call.body.type}, which begins otherwise"
    if call.query.sha256 not in (None, received.sha256):
        return f"its SHA-256 is {received.sha256}, not the one that was told"
    return None
