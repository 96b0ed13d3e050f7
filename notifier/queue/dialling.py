"""An aio-pika connection that can be ended without the broker's help.

Its `close` waits for an answer, for up to 33 s with a heartbeat of 10 s, and resists being
cancelled: a process whose broker is frozen would not end.
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


class _Dialler(TransportFactory):
    """Connects as aiormq does, and remembers the socket."""

    def __init__(self, *, is_tls: bool) -> None:
        self._usual = TLSTransportFactory() if is_tls else TCPTransportFactory()
        self._writer: asyncio.StreamWriter | None = None

    async def create(
        self, url: URL, **parameters: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, self._writer = await self._usual.create(url, **parameters)
        return reader, self._writer

    def abort(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
