"""A transport without a network, for tests of protocols."""

import asyncio


class RecordingTransport(asyncio.Transport):
    """Keeps what is written; an aborted one is closing."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.protocol: asyncio.BaseProtocol | None = None
        self.was_aborted = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.was_aborted

    def abort(self) -> None:
        self.was_aborted = True

    def get_write_buffer_size(self) -> int:
        return 0
