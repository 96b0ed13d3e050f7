"""Writing less often."""

import asyncio

from notifier.transport import GatheringTransport


class _Recorder(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bytes | str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.seen.append(bytes(data))

    def write_eof(self) -> None:
        self.seen.append("ended")

    def close(self) -> None:
        self.seen.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.seen


async def test_what_is_written_in_one_turn_of_the_loop_goes_out_together() -> None:
    recorder = _Recorder()
    transport = GatheringTransport(recorder)

    transport.write(b"head ")
    transport.write(b"body")
    assert recorder.seen == []
    await asyncio.sleep(0)
    transport.write(b"more")
    await asyncio.sleep(0)

    assert recorder.seen == [b"head body", b"more"]


async def test_closing_writes_what_was_gathered_first() -> None:
    recorder = _Recorder()
    transport = GatheringTransport(recorder)

    transport.write(b"last words")
    transport.close()
    await asyncio.sleep(0)

    assert recorder.seen == [b"last words", "closed"]


async def test_the_end_is_written_last() -> None:
    recorder = _Recorder()
    transport = GatheringTransport(recorder)

    transport.writelines([b"last ", b"words"])
    transport.write_eof()

    assert recorder.seen == [b"last words", "ended"]


async def test_nothing_is_written_to_what_is_closed() -> None:
    recorder = _Recorder()
    transport = GatheringTransport(recorder)

    transport.close()
    transport.write(b"too late")
    await asyncio.sleep(0)

    assert recorder.seen == ["closed"]
