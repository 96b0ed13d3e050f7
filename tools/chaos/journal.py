"""What the provider stand-ins took, on disk before they say so."""

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import Literal

Answer = Literal["taken", "silence", "later", "never"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One call of a provider, and when it was answered in seconds since the epoch.

    `taken`; taken, but met with `silence`; refused until `later`; or refused as `never` to be.
    """

    at: float
    provider: str
    id: str
    answer: Answer

    @property
    def is_handover(self) -> bool:
        """Whether the recipient got it."""
        return self.answer in ("taken", "silence")


class Journal:
    """A file of entries; entries that come while one is written are written together."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def note(self, entry: Entry) -> None:
        """Return once the entry is on the disk."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((json.dumps(asdict(entry)).encode() + b"\n", written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        # Whoever is cut off leaves its entry to be written all the same.
        await asyncio.shield(written)

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await asyncio.to_thread(self._write, b"".join(line for line, _ in batch))
            for _, written in batch:
                if not written.done():
                    written.set_result(None)

    def _write(self, lines: bytes) -> None:
        self._file.write(lines)
        os.fsync(self._file.fileno())


@contextmanager
def open_journal(path: Path) -> Iterator[Journal]:
    """Go on with the journal at this path."""
    with FileIO(path, "ab") as file:
        yield Journal(file)


def read_journal(path: Path) -> Iterator[Entry]:
    """The entries of a journal; a last line that was not finished was not answered either."""
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield Entry(**json.loads(line))
