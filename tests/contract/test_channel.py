"""What every adapter promises, whatever its provider does."""

import asyncio
import itertools
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from uuid import uuid4

import pytest
import structlog

from notifier.notification.outcomes import Outcome, Permanent, Sent, Systemic, Transient, Unknown
from tests.awake import AwakeClock
from tests.contract.channel_rigs import (
    LOCAL,
    MAKE_REMOTE,
    MAX_CONNECTIONS,
    REMOTE,
    MakeAdapter,
    OpenRig,
    Rig,
)
from tests.patience import AT_ALL_S

PATIENT_S = 5.0
HASTY_S = 0.3

PRIVATE = ("ada", "lovelace", "recipient.example", "170", "1234567", "4711", "secretword", "739154")
ECHO = "refused ada.lovelace@recipient.example +49 170 1234567 user-4711: Secretword 739154"

every = pytest.mark.parametrize(
    "open_rig", [*REMOTE.values(), *LOCAL.values()], ids=[*REMOTE, *LOCAL]
)
remote = pytest.mark.parametrize("open_rig", REMOTE.values(), ids=REMOTE)
local = pytest.mark.parametrize("open_rig", LOCAL.values(), ids=LOCAL)
made = pytest.mark.parametrize("make", MAKE_REMOTE.values(), ids=MAKE_REMOTE)


@pytest.fixture
async def rig(open_rig: OpenRig) -> AsyncIterator[Rig]:
    async with open_rig(PATIENT_S) as rig:
        yield rig
        await rig.adapter.close()


@pytest.fixture
async def hasty_rig(open_rig: OpenRig) -> AsyncIterator[Rig]:
    async with open_rig(HASTY_S) as rig:
        yield rig
        await rig.adapter.close()


@every
async def test_a_message_that_the_provider_takes_is_sent(rig: Rig) -> None:
    outcome = await rig.adapter.send(rig.message)

    assert isinstance(outcome, Sent)
    assert outcome.provider_id
    assert rig.taken() == [rig.message.id]


@every
async def test_a_passing_refusal_is_transient_and_the_next_attempt_arrives(rig: Rig) -> None:
    rig.refuse(Transient)

    assert isinstance(await rig.adapter.send(rig.message), Transient)
    assert list(rig.taken()) == []
    assert isinstance(await rig.adapter.send(rig.message), Sent)
    assert rig.taken() == [rig.message.id]


@remote
async def test_a_refusal_of_this_message_is_permanent(rig: Rig) -> None:
    rig.refuse(Permanent)

    assert isinstance(await rig.adapter.send(rig.message), Permanent)
    assert rig.taken() == []


@remote
async def test_a_refusal_of_our_set_up_is_systemic(rig: Rig) -> None:
    rig.refuse(Systemic)

    assert isinstance(await rig.adapter.send(rig.message), Systemic)
    assert rig.taken() == []


@remote
async def test_an_answer_that_is_lost_is_unknown_for_it_may_have_arrived(rig: Rig) -> None:
    rig.lose_answer()

    assert isinstance(await rig.adapter.send(rig.message), Unknown)
    assert rig.taken() == [rig.message.id]


@remote
async def test_a_provider_that_falls_silent_is_unknown_within_the_time_out(
    hasty_rig: Rig, awake: AwakeClock
) -> None:
    hasty_rig.hang()
    begun_s = awake.monotonic_s()

    outcome = await hasty_rig.adapter.send(hasty_rig.message)

    assert isinstance(outcome, Unknown)
    assert outcome.code == "timeout"
    assert awake.monotonic_s() - begun_s < PATIENT_S


@local
async def test_a_store_that_falls_silent_is_transient_within_the_time_out(hasty_rig: Rig) -> None:
    hasty_rig.hang()

    assert isinstance(await hasty_rig.adapter.send(hasty_rig.message), Transient)


@every
async def test_a_cancelled_hand_over_ends_and_its_place_is_free_again(rig: Rig) -> None:
    for _ in range(MAX_CONNECTIONS + 1):
        arrived = rig.hang()
        sending = asyncio.create_task(rig.adapter.send(rig.message))
        await arrived.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

    assert isinstance(await rig.adapter.send(rig.message), Sent)


@every
async def test_many_hand_overs_at_once_all_arrive_over_few_connections(rig: Rig) -> None:
    messages = [replace(rig.message, id=uuid4()) for _ in range(20)]

    outcomes = await asyncio.gather(*map(rig.adapter.send, messages))

    assert [outcome for outcome in outcomes if not isinstance(outcome, Sent)] == []
    assert sorted(rig.taken()) == sorted(message.id for message in messages)
    assert rig.open_connections() <= MAX_CONNECTIONS


@every
async def test_closing_gives_back_every_connection(rig: Rig) -> None:
    rig.refuse(Transient)
    await asyncio.gather(*(rig.adapter.send(rig.message) for _ in range(5)))

    await rig.adapter.close()
    await rig.adapter.close()

    async with asyncio.timeout(AT_ALL_S):  # the server notices a moment later
        while rig.open_connections():  # noqa: ASYNC110 - not every server has an event for it
            await asyncio.sleep(0)


@every
async def test_an_adapter_that_never_sent_closes(rig: Rig) -> None:
    await rig.adapter.close()

    assert rig.open_connections() == 0


@every
async def test_what_a_provider_repeats_reaches_neither_fault_nor_log(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    outcomes = []
    with structlog.testing.capture_logs() as events:
        for verdict in rig.verdicts:
            rig.refuse(verdict, ECHO)
            outcomes.append(await rig.adapter.send(rig.message))
        outcomes.append(await rig.adapter.send(rig.message))

    assert [type(outcome) for outcome in outcomes] == [*rig.verdicts, Sent]
    said = " ".join((repr(outcomes[:-1]), repr(events), _messages(caplog))).lower()
    assert [private for private in PRIVATE if private in said] == []


def _messages(caplog: pytest.LogCaptureFixture) -> str:
    # What the stand-ins' own libraries log is no concern of the adapters.
    ours = (record for record in caplog.records if record.name != "asyncio")
    return " ".join(record.getMessage() for record in ours)


@remote
async def test_a_fault_is_short_and_names_a_code(rig: Rig) -> None:
    rig.refuse(Permanent, "word " * 90)

    outcome = await rig.adapter.send(rig.message)

    assert isinstance(outcome, Permanent)
    assert any(char.isdigit() for char in outcome.code)
    assert len(outcome.message) <= 210


NASTY = (
    "",
    "\x00",
    "\ud800",
    "u@x.io\r\nRCPT TO:<eve@evil.example>",
    "=?utf-8?q?a=0D=0ABcc:_evil@x.io?=",
    "\u2028\u2029\x85\x0b\x1c",
    "a@b@c",
    "<a@b.example>",
    "пётр@пример.рф",
    "x" * 100_000,
    "SG.aaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbb",
    "\r\n.\r\nMAIL FROM:<eve@evil.example>\r\n",
)


@every
async def test_no_message_makes_an_adapter_raise(rig: Rig) -> None:
    for recipient, text in itertools.product((rig.message.recipient, *NASTY), NASTY):
        nasty = replace(rig.message, recipient=recipient, subject=text, text=text, html=text)
        assert isinstance(await rig.adapter.send(nasty), Outcome)


@made
@pytest.mark.parametrize("words", [b"", b"\x00\xff nonsense\r\n\r\n", b"250-\r\n", b"220 hi\r\n"])
async def test_a_peer_that_talks_nonsense_is_no_reason_to_raise(
    make: MakeAdapter, open_message: OpenRig, words: bytes
) -> None:
    async with peer_that_says(words) as port, open_message(HASTY_S) as rig:
        adapter = make(port, HASTY_S)
        outcome = await adapter.send(rig.message)
        await adapter.close()

    assert isinstance(outcome, Transient | Unknown)


@pytest.fixture
def open_message(request: pytest.FixtureRequest) -> OpenRig:
    """The rig that has a fitting message."""
    return next(open_rig for name, open_rig in REMOTE.items() if name in request.node.name)


@made
async def test_a_peer_that_is_not_there_is_transient(
    make: MakeAdapter, open_message: OpenRig
) -> None:
    with closed_port() as port:
        async with open_message(PATIENT_S) as rig:
            adapter = make(port, PATIENT_S)
            outcome = await adapter.send(rig.message)
            await adapter.close()

    assert isinstance(outcome, Transient)
    assert outcome.code == "connection_refused"
    assert not outcome.throttled


@asynccontextmanager
async def peer_that_says(words: bytes) -> AsyncIterator[int]:
    """Serve connections: say `words`, then nothing."""

    async def say(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(words)

    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(say, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that is taken, so that nobody else listens there, and does not listen."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
