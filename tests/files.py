"""Files that were uploaded, as those see them who refer to them."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from uuid import UUID, uuid4

from notifier.content.attachment import Attachment


def a_file(
    name: str = "ticket.pdf",
    type: str = "application/pdf",
    size: int = 1_000,
    service: str = "orders",
) -> Attachment:
    return Attachment(
        id=uuid4(),
        service=service,
        name=name,
        type=type,
        size=size,
        sha256="0" * 64,
        created_at=datetime(2026, 11, 20, tzinfo=UTC),
    )


class KeptFiles:
    """`Files`, in memory."""

    def __init__(self, *files: Attachment) -> None:
        self._files = {each.id: each for each in files}
        self.held: list[UUID] = []

    async def hold(self, ids: Collection[UUID], *, service: str) -> Mapping[UUID, Attachment]:
        found = {id: each for id, each in (await self.of(ids)).items() if each.service == service}
        self.held += found
        return found

    async def of(self, ids: Collection[UUID]) -> Mapping[UUID, Attachment]:
        return {id: self._files[id] for id in ids if id in self._files}
