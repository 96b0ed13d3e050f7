"""The files of a mail that is sent now: read when they are needed, and so many at once."""

import asyncio
from binascii import b2a_base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from notifier.content.attachment import Attachment, Contents, Files
from notifier.errors import AttachmentError, AttachmentsWaitError
from notifier.notification.mail import Attached, AttachmentRef

_COPIES = 3
"""A mail is put together from its files, part by part: for a moment all of it is there so often."""
_LINE_CHARS = 76
_PATIENCE_S = 10.0


class Portion:
    """So many bytes for everybody, in turns: whoever needs more than all of it has it alone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._turns = asyncio.Lock()
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def of(self, size: int, *, patience_s: float = _PATIENCE_S) -> AsyncIterator[None]:
        """Wait for so many bytes, held as long as the context lasts.

        Raises:
            AttachmentsWaitError: they did not become free in time.
        """
        size = min(size, self._most)
        try:
            async with asyncio.timeout(patience_s):
                await self._take(size)
        except TimeoutError as error:
            raise AttachmentsWaitError("other mails' attachments take all memory") from error
        try:
            yield
        finally:
            self._taken -= size
            async with self._freed:
                self._freed.notify_all()

    async def _take(self, size: int) -> None:
        async with self._turns, self._freed:
            await self._freed.wait_for(lambda: self._taken + size <= self._most)
            self._taken += size


@dataclass(frozen=True, slots=True)
class Loader:
    """Reads files, as far as there is memory for them."""

    files: Files
    contents: Contents
    memory: Portion

    @asynccontextmanager
    async def loaded(self, refs: Sequence[AttachmentRef]) -> AsyncIterator[tuple[Attached, ...]]:
        """Read these files, in their order, in memory as long as the context lasts.

        Raises:
            AttachmentError: one of them is not there any more.
            AttachmentsWaitError: there was no memory for them in time.
            StoreUnavailableError: they could not be read.
        """
        known = await self.files.of({each.id for each in refs})
        if missing := [each for each in refs if each.id not in known]:
            raise AttachmentError(f"{len(missing)} of its attachments are not there any more")
        size = sum(known[each.id].sent_bytes for each in refs)
        async with self.memory.of(size * _COPIES):
            yield tuple([await self._read(known[each.id], each) for each in refs])

    async def _read(self, file: Attachment, ref: AttachmentRef) -> Attached:
        lines = [await self._lines(file.id, number) for number in range(file.chunks)]
        return Attached(
            name=file.name,
            type=file.type,
            size=file.size,
            content_id=ref.content_id,
            lines=b"".join(lines),
        )

    async def _lines(self, id: UUID, number: int) -> bytes:
        chunk = await self.contents.get(id, number)
        if chunk is None:
            raise AttachmentError("the content of an attachment is not there any more")
        return base64_lines(chunk)


def base64_lines(content: bytes) -> bytes:
    """Return it as base64 in lines (RFC 2045 6.8), each with its CRLF."""
    text = b2a_base64(content, newline=False)
    starts = range(0, len(text), _LINE_CHARS)
    return b"".join([text[start : start + _LINE_CHARS] + b"\r\n" for start in starts])
