"""An aio-pika connection that can be ended without the broker's help, and writes less often.

Its `close` waits for an answer, for up to 33 s with a heartbeat of 10 s, and resists being
cancelled: a process whose broker is frozen would not end.

Its writer hands each frame to the kernel by itself; here they are gathered.
"""

import asyncio
from typing import Any, cast

import aio_pika
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from yarl import URL

from notifier.gathering import GatheringTransport


class AbortableConnection(aio_pika.Connection):
    """A connection whose socket can be thrown away."""

    def __init__(self, url: URL, **parameters: Any) -> None:
        super().__init__(url, **parameters)
        self._dialler = _Dialler(is_tls=self.url.scheme == "amqps")
        self.kwargs["transport_factory"] = self._dialler

    def abort(self) -> None:
        """End the socket at once. What waits on the connection fails; `close` it afterwards."""
        self._dialler.abort()


class _Dialler(TransportFactory):
    """Connects as aiormq does, and remembers the socket."""

    def __init__(self, *, is_tls: bool) -> None:
        self._usual = TLSTransportFactory() if is_tls else TCPTransportFactory()
        self._made: asyncio.StreamWriter | None = None

    async def create(
        self, url: URL, **parameters: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await self._usual.create(url, **parameters)
        # The one that was made would close the transport when it is collected.
        self._made = writer
        return reader, _gathering(writer, reader)

    def abort(self) -> None:
        if self._made is not None:
            self._made.transport.abort()


def _gathering(made: asyncio.StreamWriter, reader: asyncio.StreamReader) -> asyncio.StreamWriter:
    transport = cast(asyncio.WriteTransport, GatheringTransport(made.transport))
    protocol = made._protocol  # type: ignore[attr-defined]  # noqa: SLF001  no other door
    return asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
