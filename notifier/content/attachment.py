"""Attachments: files that are uploaded first, and that notifications then refer to."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered

CHUNK_BYTES = 57 * 4_600
"""A file is kept in pieces of so many bytes, but for its last: whole lines of base64 each."""

_LINE_BYTES, _LINE_CHARS = 57, 78


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentLimits:
    """How much may be attached, and how long what nothing refers to is kept."""

    max_bytes: int = 10_000_000
    """Of one file."""
    max_mail_bytes: int = 15_000_000
    """Of all files of a mail, as they are sent: base64 takes more than a third again."""
    max_unused_bytes: int = 1_000_000_000
    """Of one service's files that nothing refers to."""
    unused_s: float = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file of a service, whole."""

    id: UUID
    service: str
    name: str
    type: str
    """Its media type, without parameters."""
    size: int
    sha256: str
    """Of its content, hexadecimal."""
    created_at: datetime

    @property
    def chunks(self) -> int:
        """How many pieces it is kept in."""
        return -(-self.size // CHUNK_BYTES)

    @property
    def sent_bytes(self) -> int:
        """How large it is in a mail: base64, in lines."""
        return -(-self.size // _LINE_BYTES) * _LINE_CHARS


@dataclass(frozen=True, slots=True)
class InUse:
    """Something refers to it."""


@dataclass(frozen=True, slots=True)
class TooMuchUnused:
    """The service has uploaded too much that it does not refer to."""


class Files(Protocol):
    """Whole files, as those see them who refer to them. All times are the database's own."""

    async def hold(self, ids: Collection[UUID], *, service: str) -> Mapping[UUID, Attachment]:
        """Return those of the service's files, each kept long enough to be referred to."""

    async def of(self, ids: Collection[UUID]) -> Mapping[UUID, Attachment]:
        """Return the files that something refers to, whatever became of them since."""


class Attachments(Files, Protocol):
    """What is known of the files, and what refers to them. All times are the database's own."""

    async def begin(
        self, *, id: UUID, service: str, name: str, type: str, limits: AttachmentLimits
    ) -> TooMuchUnused | None:
        """Note a file whose content comes now; it is unknown to everybody until it is whole."""

    async def complete(
        self,
        id: UUID,
        *,
        size: int,
        sha256: str,
        limits: AttachmentLimits,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused:
        """Note that all of it is there; from now on it can be referred to."""

    async def find(self, id: UUID, *, service: str | None) -> Attachment | NotFound:
        """Return a file of this service; of any, with None."""

    async def remove(self, id: UUID, *, service: str | None) -> Applied | NotFound | InUse:
        """Have a file unknown from now on, if nothing refers to it; `take_unused` returns it."""

    async def release_ended(self, limit: int) -> int:
        """Let sensitive notifications that are over refer to nothing; returns how many did."""

    async def take_unused(self, limit: int) -> Sequence[UUID]:
        """Return files that nothing refers to and whose time is over: nobody finds them again."""

    async def forget(self, ids: Collection[UUID]) -> None:
        """Forget files whose content is erased."""


class Contents(Protocol):
    """The bytes of the files, in pieces of `CHUNK_BYTES` numbered from 0."""

    async def put(self, id: UUID, number: int, chunk: bytes) -> None:
        """Keep one piece."""

    async def get(self, id: UUID, number: int) -> bytes | None:
        """Return one piece; None: it is erased, or never was."""

    async def erase(self, ids: Collection[UUID]) -> None:
        """Erase all pieces of these files."""
