"""An aio-pika connection that can be ended without the broker's help, and writes less often.

Its `close` waits for an answer, for up to 33 s with a heartbeat of 10 s, and resists being
cancelled: a process whose broker is frozen would not end.

Its writer hands each frame to the kernel by itself. A system call costs more than encoding a
frame does, so what is written in one turn of the loop goes out together.
"""

import asyncio
from typing import Any

import aio_pika
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from yarl import URL


class AbortableConnection(aio_pika.Connection):
    """A connection whose socket can be thrown away."""

    def __init__(self, url: URL, **parameters: Any) -> None:
        super().__init__(url, **parameters)
        self._dialler = _Dialler(is_tls=self.url.scheme == "amqps")
        self.kwargs["transport_factory"] = self._dialler

    def abort(self) -> None:
        """End the socket at once. What waits on the connection fails; `close` it afterwards."""
        self._dialler.abort()


class _GatheringWriter(asyncio.StreamWriter):
    """A writer whose writes of one turn of the loop reach the socket together, in order."""

    def __init__(self, writer: asyncio.StreamWriter, reader: asyncio.StreamReader) -> None:
        loop = asyncio.get_running_loop()
        protocol = writer._protocol  # type: ignore[attr-defined]  # noqa: SLF001  no other door
        super().__init__(writer.transport, protocol, reader, loop)
        self._call_soon = loop.call_soon
        # It would close the transport when it is collected.
        self._original = writer
        self._gathered: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._gathered:
            self._call_soon(self._flush)
        self._gathered.append(bytes(data))

    async def drain(self) -> None:
        self._flush()
        await super().drain()

    def write_eof(self) -> None:
        self._flush()
        super().write_eof()

    def close(self) -> None:
        self._flush()
        super().close()

    def _flush(self) -> None:
        if self._gathered and not self.is_closing():
            super().write(b"".join(self._gathered))
        self._gathered.clear()


class _Dialler(TransportFactory):
    """Connects as aiormq does, and remembers the socket."""

    def __init__(self, *, is_tls: bool) -> None:
        self._usual = TLSTransportFactory() if is_tls else TCPTransportFactory()
        self._writer: asyncio.StreamWriter | None = None

    async def create(
        self, url: URL, **parameters: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await self._usual.create(url, **parameters)
        self._writer = _GatheringWriter(writer, reader)
        return reader, self._writer

    def abort(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
