"""An aio-pika connection to one of a name's addresses that can be ended without the broker's help.

Its `close` waits for an answer, for up to 33 s with a heartbeat of 10 s, and resists being
cancelled: a process whose broker is frozen would not end.

Its writer hands each frame to the kernel by itself; here they are gathered.
"""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

import aio_pika
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from aiormq.exceptions import AMQPConnectionError
from yarl import URL

from notifier.transport import GatheringTransport


class AbortableConnection(aio_pika.Connection):
    """A connection to the first of `addresses` that takes one; its socket can be thrown away.

    The addresses are those of the URL's host, which a certificate has to name.
    """

    def __init__(self, url: URL, *, addresses: Sequence[str], **parameters: Any) -> None:
        super().__init__(url, **parameters)
        self._dialler = _Dialler(addresses, is_tls=self.url.scheme == "amqps")
        self.kwargs["transport_factory"] = self._dialler

    def abort(self) -> None:
        """End the socket at once. What waits on the connection fails; `close` it afterwards."""
        self._dialler.abort()

    def __del__(self) -> None:
        # An attempt that failed is nobody's. The base would start a task to close it, in whatever
        # thread it is collected in, which may have no loop.
        with suppress(AttributeError, RuntimeError):
            self.loop.call_soon_threadsafe(self._dialler.abort)


class _Dialler(TransportFactory):
    """Connects as aiormq does, and remembers the socket."""

    def __init__(self, addresses: Sequence[str], *, is_tls: bool) -> None:
        self._addresses = addresses
        self._is_tls = is_tls
        self._usual = TLSTransportFactory() if is_tls else TCPTransportFactory()
        self._made: asyncio.StreamWriter | None = None

    async def create(
        self, url: URL, **parameters: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._is_tls:
            parameters["server_hostname"] = url.host
        reader, writer = await self._dial(url, parameters)
        # The one that was made would close the transport when it is collected.
        self._made = writer
        return reader, _gathering(writer, reader)

    async def _dial(
        self, url: URL, parameters: dict[str, Any]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        *others, last = self._addresses
        for address in others:
            try:
                return await self._usual.create(url.with_host(address), **parameters)
            except AMQPConnectionError as error:
                if isinstance(error.__cause__, ssl.SSLError):
                    raise
        return await self._usual.create(url.with_host(last), **parameters)

    def abort(self) -> None:
        if self._made is not None:
            self._made.transport.abort()


def _gathering(made: asyncio.StreamWriter, reader: asyncio.StreamReader) -> asyncio.StreamWriter:
    transport = cast(asyncio.WriteTransport, GatheringTransport(made.transport))
    protocol = made._protocol  # type: ignore[attr-defined]  # noqa: SLF001  no other door
    return asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
