"""Writing less often: what is written in one turn of the loop goes out together.

A system call costs more than making what it writes, and each may wake who waits for it.
"""

import asyncio
from collections.abc import Iterable
from typing import Any


class GatheringTransport:
    """A transport that gathers what is written in one turn of the loop, and keeps its order."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport
        self._call_soon = asyncio.get_running_loop().call_soon
        self._gathered: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write `data` before this turn of the loop ends."""
        if not self._gathered:
            self._call_soon(self._flush)
        self._gathered.append(data)

    def writelines(self, parts: Iterable[bytes]) -> None:
        """Write all `parts`, as `write` does."""
        self.write(b"".join(parts))

    def write_eof(self) -> None:
        """Write what was gathered, and that it was the last."""
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        """Write what was gathered, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._gathered and not self._transport.is_closing():
            self._transport.write(b"".join(self._gathered))
        self._gathered.clear()
