"""The network of a world: connections as two ordered streams of bytes that take their time.

What was sent arrives, also when its sender has died since; a dead process's connections end as its
kernel would end them.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.simulation.loop import Process, WorldLoop

_LATENCY_S = (0.0001, 0.002)
_HIGH_WATER_BYTES = 65_536


class Network:
    """Who listens where, and the connections between processes."""

    def __init__(self, loop: WorldLoop, chance: random.Random) -> None:
        self.connections: list[Connection] = []
        self._loop = loop
        self._chance = chance
        self._listeners: dict[tuple[str, int], _Listener] = {}
        self._partings: dict[frozenset[Process], _Parting] = {}

    def listen(
        self, host: str, port: int, process: Process, serve: Callable[[], asyncio.Protocol]
    ) -> None:
        """Let `process` take connections; `serve` makes the protocol of each, in that process."""
        self._listeners[host, port] = _Listener(process, serve)

    def close(self, host: str, port: int) -> None:
        """Take no more connections there."""
        self._listeners.pop((host, port), None)

    async def connect(
        self, protocol: Callable[[], asyncio.Protocol], host: str, port: int
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Connect from the process whose turn it is.

        Raises:
            ConnectionRefusedError: nobody listens there.
        """
        await asyncio.sleep(self.latency_s())
        listener = self._listeners.get((host, port))
        if listener is None or listener.process.is_dead:
            raise ConnectionRefusedError(f"nobody listens on {host}:{port}")
        await self._overcome_parting(self._loop.process, listener.process)
        connection = Connection(self, self._loop.process, listener.process)
        self.connections = [each for each in self.connections if not each.is_over]
        self.connections.append(connection)
        made = protocol()
        connection.client.serve(made)
        server = connection.server
        listener.process.post(self.latency_s(), lambda: server.serve(listener.serve()))
        return connection.client, made

    def between(self, one: Process, other: Process) -> "list[Connection]":
        """The connections of these two."""
        return [each for each in self.connections if each.is_between(one, other)]

    def part(self, one: Process, other: Process, for_s: float, *, is_silent: bool) -> None:
        """Let nothing pass between these two for so long, or until an earlier parting ends.

        Where that `is_silent`, all waits; otherwise connections end, and new ones are refused.
        """
        until_s = self._loop.time() + max(for_s, self._parted_for_s(one, other))
        self._partings[frozenset((one, other))] = _Parting(until_s, is_silent)
        for connection in self.between(one, other):
            if is_silent:
                connection.hold(until_s)
            else:
                connection.cut()

    async def _overcome_parting(self, one: Process, other: Process) -> None:
        while (left_s := self._parted_for_s(one, other)) > 0:
            if not self._partings[frozenset((one, other))].is_silent:
                raise ConnectionRefusedError("the network is parted")
            await asyncio.sleep(left_s)

    def _parted_for_s(self, one: Process, other: Process) -> float:
        parting = self._partings.get(frozenset((one, other)))
        return 0 if parting is None else parting.until_s - self._loop.time()

    def latency_s(self) -> float:
        """How long the next piece is under way."""
        return self._chance.uniform(*_LATENCY_S)


@dataclass(frozen=True, slots=True)
class _Parting:
    until_s: float
    is_silent: bool


class _Listener:
    def __init__(self, process: Process, serve: Callable[[], asyncio.Protocol]) -> None:
        self.process = process
        self.serve = serve


class Connection:
    """A connection and its two ends."""

    def __init__(self, network: Network, client: Process, server: Process) -> None:
        self.client = _End(network, client)
        self.server = _End(network, server)
        self.client.peer, self.server.peer = self.server, self.client
        self.server.known["peer"] = client.name
        client.on_death.append(self.client.vanish)
        server.on_death.append(self.server.vanish)

    @property
    def is_over(self) -> bool:
        """Whether both ends are closed."""
        return self.client.is_closing() and self.server.is_closing()

    def is_between(self, one: Process, other: Process) -> bool:
        """Whether it connects these two."""
        return {self.client.process, self.server.process} == {one, other}

    def hold(self, until_s: float) -> None:
        """Keep what is sent from now on from arriving before this time."""
        self.client.held_until_s = self.server.held_until_s = until_s

    def cut(self) -> None:
        """End it for both at once; what is under way is lost."""
        self.client.lose(ConnectionResetError("the network was cut"))
        self.server.lose(ConnectionResetError("the network was cut"))


class _End(asyncio.Transport):
    """One end, as the transport of its process."""

    peer: "_End"

    def __init__(self, network: Network, process: Process) -> None:
        self.known: dict[str, object] = {"peername": ("world", 0), "sockname": ("world", 0)}
        super().__init__(self.known)
        self.process = process
        self.held_until_s = 0.0
        self._network = network
        self._loop = process.loop
        self._protocol: asyncio.Protocol | None = None
        self._is_closing = False
        self._is_lost = False
        self._is_reading = True
        self._unread: list[bytes] = []
        self._waiting: list[Callable[[], None]] = []
        """What came before there was a protocol for it."""
        self._bytes_ahead = 0
        self._is_told_to_pause = False
        self._last_arrival_s = 0.0

    def serve(self, protocol: asyncio.BaseProtocol) -> None:
        """Let `protocol` have what comes; called in the process."""
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol
        protocol.connection_made(self)
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            event()

    # --- asyncio's transport -------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_closing or not data:
            return
        piece = bytes(data)
        self._bytes_ahead += len(piece)
        self._post_to_peer(self.peer._arrive, piece)  # noqa: SLF001
        if self._bytes_ahead > _HIGH_WATER_BYTES and not self._is_told_to_pause:
            self._is_told_to_pause = True
            if self._protocol:
                self._protocol.pause_writing()

    def close(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        self._post_to_peer(self.peer._end_of_file)  # noqa: SLF001
        self._loop.call_soon(self._lost, None)

    def abort(self) -> None:
        if self._is_lost:
            return
        self._is_closing = True
        self._post_to_peer(self.peer.lose, ConnectionResetError("reset by peer"))
        self._loop.call_soon(self._lost, None)

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True
        unread, self._unread = self._unread, []
        for piece in unread:
            self._deliver(piece)

    def is_reading(self) -> bool:
        return self._is_reading

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._protocol is not None
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return self._bytes_ahead

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    # --- what happens to it --------------------------------------------------------------------

    def vanish(self) -> None:
        """Its process died: the kernel closes it."""
        if not self._is_lost:
            self._is_closing = self._is_lost = True
            self._post_to_peer(self.peer._end_of_file)  # noqa: SLF001

    def lose(self, error: Exception | None) -> None:
        """End it in its process with this error."""
        self._is_closing = True
        self.process.post(0, self._lost, error)

    def _post_to_peer(self, callback: Callable[..., None], *args: Any) -> None:
        soon_s = self._loop.time() + self._network.latency_s()
        arrival_s = max(soon_s, self._last_arrival_s, self.held_until_s)
        self._last_arrival_s = arrival_s
        self.peer.process.post(arrival_s - self._loop.time(), callback, *args)

    def _arrive(self, piece: bytes) -> None:
        if self._protocol is None:
            self._waiting.append(lambda: self._arrive(piece))
        elif not self._is_reading:
            self._unread.append(piece)
        else:
            self._deliver(piece)

    def _deliver(self, piece: bytes) -> None:
        if self._protocol is not None and not self._is_lost:
            self._protocol.data_received(piece)
            self.peer._taken(len(piece))  # noqa: SLF001

    def _taken(self, size_bytes: int) -> None:
        self._bytes_ahead -= size_bytes
        if self._is_told_to_pause and self._bytes_ahead <= _HIGH_WATER_BYTES // 4:
            self._is_told_to_pause = False
            self.process.post(0, self._resume_writing)

    def _resume_writing(self) -> None:
        if self._protocol and not self._is_lost and not self._is_told_to_pause:
            self._protocol.resume_writing()

    def _end_of_file(self) -> None:
        if self._protocol is None:
            self._waiting.append(self._end_of_file)
        elif not self._is_lost and not self._protocol.eof_received():
            self.close()

    def _lost(self, error: Exception | None) -> None:
        if self._is_lost:
            return
        self._is_lost = True
        if self._protocol is not None:
            self._protocol.connection_lost(error)
