import asyncio

import pytest

from notifier.channels.email.smtp.wire import RawReply, SmtpWire
from tests.servers.recording_transport import RecordingTransport

REPLIES = b"250-2.1.0 one\r\n250-\r\n250 2.1.0 two\r\n550 5.1.1 no\r\n354\r\n"
TAKEN = [RawReply(250, b"2.1.0 one\n\n2.1.0 two"), RawReply(550, b"5.1.1 no"), RawReply(354, b"")]


@pytest.fixture
def transport() -> RecordingTransport:
    return RecordingTransport()


@pytest.fixture
def wire(transport: RecordingTransport) -> SmtpWire:
    return SmtpWire(transport)


async def test_it_takes_the_connection_over_and_sends_commands_in_one_write(
    wire: SmtpWire, transport: RecordingTransport
) -> None:
    wire.send(b"MAIL FROM:<>", b"DATA")

    assert transport.protocol is wire
    assert transport.written == [b"MAIL FROM:<>\r\nDATA\r\n"]


@pytest.mark.parametrize("first", range(len(REPLIES) + 1))
async def test_replies_cut_at_any_two_bytes_are_the_same(wire: SmtpWire, first: int) -> None:
    for second in range(first, len(REPLIES) + 1):
        wire.send(b"MAIL", b"RCPT", b"DATA")
        for chunk in (REPLIES[:first], REPLIES[first:second], REPLIES[second:]):
            wire.data_received(chunk)

        assert [await wire.read() for _ in TAKEN] == TAKEN
    assert wire.is_in_step


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_a_reader_that_waits_gets_each_reply_once(wire: SmtpWire, size: int) -> None:
    wire.send(b"MAIL", b"RCPT", b"DATA")
    reading = [asyncio.create_task(_read_all(wire))]
    for start in range(0, len(REPLIES), size):
        await asyncio.sleep(0)
        wire.data_received(REPLIES[start : start + size])

    assert await reading[0] == TAKEN


async def _read_all(wire: SmtpWire) -> list[RawReply]:
    return [await wire.read() for _ in TAKEN]


@pytest.mark.parametrize("extra", [b"250 extra\r\n", b"2"])
async def test_what_no_command_asked_for_is_dropped_and_remembered(
    wire: SmtpWire, extra: bytes
) -> None:
    wire.send(b"DATA")
    wire.data_received(b"354 go on\r\n" + extra)
    wire.send_content(b".\r\n")
    wire.data_received(b"451 later\r\n")

    assert [(await wire.read()).code for _ in range(2)] == [354, 451]
    assert not wire.is_in_step


@pytest.mark.parametrize(
    "line", [b"hello\r\n", b"\r\n", b"25\r\n", b"2x0 y\r\n", b"\xff\xff\xff\n"]
)
async def test_a_line_that_is_no_reply_is_one_with_no_code(wire: SmtpWire, line: bytes) -> None:
    wire.send(b"MAIL")
    wire.data_received(line)

    reply = await wire.read()
    assert reply.code == -1
    assert reply.text
    assert not wire.is_in_step


@pytest.mark.parametrize("chunk", [b"2" * 1_000, b"250-" + b"x" * 500 + b"\r\n"])
async def test_a_reply_without_an_end_is_given_up(wire: SmtpWire, chunk: bytes) -> None:
    wire.send(b"MAIL")
    for _ in range(100):
        wire.data_received(chunk)

    assert (await wire.read()).code == -1
    assert not wire.is_in_step


@pytest.mark.parametrize("fault", [None, ConnectionResetError("reset")])
async def test_what_came_before_the_end_is_read_before_it(
    wire: SmtpWire, fault: Exception | None
) -> None:
    wire.send(b"MAIL", b"RCPT")
    wire.data_received(b"250 fine\r\n")
    wire.connection_lost(fault)

    assert (await wire.read()).code == 250
    with pytest.raises(ConnectionError) as caught:
        await wire.read()
    assert caught.value.__cause__ is fault
    assert not wire.is_open


async def test_a_reader_that_waits_learns_of_the_end(wire: SmtpWire) -> None:
    wire.send(b"MAIL")
    reading = asyncio.create_task(wire.read())
    await asyncio.sleep(0)

    wire.eof_received()

    with pytest.raises(ConnectionError):
        await reading


async def test_nothing_is_sent_on_a_connection_that_is_closing(
    wire: SmtpWire, transport: RecordingTransport
) -> None:
    wire.abort()

    with pytest.raises(ConnectionError):
        wire.send_content(b".\r\n")
    assert transport.written == []


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
async def test_a_command_never_becomes_two(
    wire: SmtpWire, transport: RecordingTransport, end: bytes
) -> None:
    with pytest.raises(ValueError, match="line end"):
        wire.send(b"RCPT TO:<a@x.io>" + end + b"RCPT TO:<b@x.io>", b"DATA")
    assert transport.written == []
