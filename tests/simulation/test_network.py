"""What becomes of connections between processes that are parted, in virtual time."""

import asyncio
import random
from contextlib import closing

import pytest

from tests.simulation.loop import Process, WorldLoop
from tests.simulation.network import Network


class _Heard(asyncio.Protocol):
    def __init__(self) -> None:
        self.pieces: list[tuple[bytes, float]] = []
        self.is_lost = False

    def data_received(self, data: bytes) -> None:
        self.pieces.append((data, asyncio.get_running_loop().time()))

    def connection_lost(self, _error: Exception | None) -> None:
        self.is_lost = True


class _Parted:
    """A client and a server that are parted for 10 s, 1 s after they were connected."""

    def __init__(self, loop: WorldLoop, *, is_silent: bool) -> None:
        self.loop = loop
        self.is_silent = is_silent
        self.network = Network(loop, random.Random(2))
        self.server = Process("server", loop)
        self.heard = _Heard()
        self.network.listen("server", 1, self.server, lambda: self.heard)

    async def begin(self, client: Process) -> asyncio.Transport:
        transport, _ = await self.network.connect(asyncio.Protocol, "server", 1)
        await asyncio.sleep(1)
        self.network.part(client, self.server, 10, is_silent=self.is_silent)
        return transport


def test_parted_in_silence_they_get_all_when_that_ends() -> None:
    with closing(WorldLoop(random.Random(1))) as loop:
        parted = _Parted(loop, is_silent=True)
        client = Process("client", loop)

        async def main() -> None:
            transport = await parted.begin(client)
            transport.write(b"1")
            await parted.network.connect(asyncio.Protocol, "server", 1)
            assert loop.time() >= 11
            await asyncio.sleep(1)

        loop.live(client, main())

        [(piece, at_s)] = parted.heard.pieces
        assert piece == b"1"
        assert at_s >= 11
        assert not parted.heard.is_lost


def test_parted_aloud_they_lose_their_connections_and_get_none() -> None:
    with closing(WorldLoop(random.Random(1))) as loop:
        parted = _Parted(loop, is_silent=False)
        client = Process("client", loop)

        async def main() -> None:
            await parted.begin(client)
            await asyncio.sleep(1)
            assert parted.heard.is_lost
            with pytest.raises(ConnectionRefusedError):
                await parted.network.connect(asyncio.Protocol, "server", 1)
            await asyncio.sleep(10)
            await parted.network.connect(asyncio.Protocol, "server", 1)

        loop.live(client, main())
