"""Keeping a file's content while it arrives, and erasing what nothing refers to any more."""

import hashlib
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from notifier.content.attachment import Attachments, Contents
from notifier.content.files import Kind
from notifier.duty import Duty
from notifier.errors import NotifierError

_ERASE_EVERY_S = 60
_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Received:
    """A content that is kept, as a whole."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Misfit:
    """What came is not of the kind that it is said to be; empty, if nothing came."""


@dataclass(frozen=True, slots=True)
class Filing:
    """Keeps what comes in and erases what is not needed, wherever contents are kept."""

    attachments: Attachments
    contents: Contents

    async def receive(
        self, id: UUID, kind: Kind, chunks: AsyncIterator[bytes]
    ) -> Received | Misfit:
        """Keep a content, one of its pieces in memory at a time."""
        digest, size, number = hashlib.sha256(), 0, 0
        async for chunk in chunks:
            if number == 0 and not kind.fits(chunk):
                return Misfit()
            digest.update(chunk)
            await self.contents.put(id, number, chunk)
            size, number = size + len(chunk), number + 1
        return Received(size, digest.hexdigest()) if size else Misfit()

    async def give_up(self, id: UUID) -> None:
        """Erase what came of a file; where the database is away, that is done in an hour."""
        with suppress(NotifierError):
            await self._erase([id])

    async def erase_unused(self) -> bool:
        """Erase some of what nothing refers to; returns whether there may be more."""
        released = await self.attachments.release_ended(_AT_ONCE)
        unused = await self.attachments.take_unused(_AT_ONCE)
        await self._erase(unused)
        return _AT_ONCE in (released, len(unused))

    async def _erase(self, ids: Collection[UUID]) -> None:
        """Erase contents before what is known of them: interrupted, it is done again."""
        if ids:
            await self.contents.erase(ids)
            await self.attachments.forget(ids)

    def duty(self) -> Duty:
        """Return the duty to erase, for a relay."""
        return Duty("erase.attachments", _ERASE_EVERY_S, self.erase_unused)
