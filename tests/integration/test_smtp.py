import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Literal

import pytest
import uvloop
from structlog.testing import capture_logs

from notifier.channels.email.replies import Phase
from notifier.channels.email.smtp.adapter import SmtpAdapter
from notifier.channels.email.smtp.config import SmtpConfig
from notifier.channels.email.smtp.diagnosis import misconfiguration
from notifier.delivery.attaching import base64_lines
from notifier.errors import SettingsError
from notifier.mailbox import Mailbox
from notifier.notification.mail import Attached, MailDetails
from notifier.notification.outcomes import Outcome, Permanent, Sent, Systemic, Transient, Unknown
from tests.clock import SystemClock
from tests.patience import AT_ALL_S
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.messages import MESSAGE_ID, ManualClock, a_message
from tests.servers.scripted_smtp import (
    Drop,
    Hang,
    ReplyThenDrop,
    SmtpServer,
    Step,
    StopReading,
    Writes,
    open_smtp,
)
from tests.servers.smtp import SmtpServer as IndependentServer

HASTY_S = 0.5
"""For a server that falls silent: what comes before has to fit in, on a busy machine."""
LOGIN = ("notifier", "pass wörd")
OUR_HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
]


@pytest.fixture(params=["pipelined", "step by step"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[SmtpServer]:
    async with open_smtp() as server:
        if request.param != "pipelined":
            server.extensions.remove("PIPELINING")
        yield server


@pytest.fixture
async def pipelining() -> AsyncIterator[SmtpServer]:
    async with open_smtp() as server:
        yield server


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def a_config(server: SmtpServer) -> SmtpConfig:
    return SmtpConfig(
        host="127.0.0.1",
        port=server.port,
        sender="Shop <no-reply@shop.example>",
        security="none",
        timeout_s=5,
        full_patience_s=0,
    )


def an_adapter(config: SmtpConfig) -> SmtpAdapter:
    return SmtpAdapter(config, ManualClock())


async def send_once(config: SmtpConfig) -> Outcome:
    adapter = an_adapter(config)
    outcome = await adapter.send(a_message())
    await adapter.close()
    return outcome


@pytest.fixture
async def adapter(server: SmtpServer) -> AsyncIterator[SmtpAdapter]:
    adapter = an_adapter(a_config(server))
    yield adapter
    await adapter.close()


def parsed(server: SmtpServer) -> EmailMessage:
    message = message_from_bytes(server.mails[-1].content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(mail: EmailMessage) -> str:
    return str(mail.get_content()).replace("\r\n", "\n")


# --- what goes over the wire ----------------------------------------------------------------


async def test_a_mail_says_who_sends_what_to_whom(server: SmtpServer, adapter: SmtpAdapter) -> None:
    assert await adapter.send(a_message(text="Hello.\n")) == Sent("Q000001")

    received, mail = server.mails[0], parsed(server)
    assert received.sender == "no-reply@shop.example"
    assert received.recipients == ("ada.lovelace@recipient.example",)
    assert list(mail.keys()) == OUR_HEADERS
    assert mail["From"] == "Shop <no-reply@shop.example>"
    assert mail["To"] == "ada.lovelace@recipient.example"
    assert mail["Subject"] == "Your order"
    assert mail["Date"] == "Fri, 20 Nov 2026 12:00:00 +0000"
    assert mail["Message-ID"] == f"<{MESSAGE_ID}@shop.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert text_of(mail) == "Hello.\n"


async def test_text_and_html_are_alternatives_text_first(
    server: SmtpServer, adapter: SmtpAdapter
) -> None:
    await adapter.send(a_message(text="Grüße", html="<p>Grüße</p>"))

    parts = list(parsed(server).iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert [part.get_content() for part in parts] == ["Grüße", "<p>Grüße</p>"]


async def test_every_attempt_has_the_same_message_id(
    server: SmtpServer, adapter: SmtpAdapter
) -> None:
    await adapter.send(a_message())
    await adapter.send(replace(a_message(), attempt=2))

    ids = {message_from_bytes(mail.content)["Message-ID"] for mail in server.mails}
    assert ids == {f"<{MESSAGE_ID}@shop.example>"}


async def test_an_encoded_subject_stays_literal_and_adds_no_header(
    server: SmtpServer, adapter: SmtpAdapter
) -> None:
    subject = "=?utf-8?q?a=0D=0ABcc:_evil@x.io?="

    await adapter.send(a_message(subject=subject))

    head = server.mails[0].wire.partition(b"\r\n\r\n")[0]
    assert [line.partition(b":")[0].decode() for line in head.split(b"\r\n")] == OUR_HEADERS
    assert parsed(server)["Subject"] == subject
    assert server.mails[0].recipients == ("ada.lovelace@recipient.example",)


@pytest.mark.parametrize("char", ["\r\n", "\n", "\r", "\x00", "\x0b", "\x1c", "\x85", "\u2028"])
async def test_a_subject_with_control_characters_is_refused(
    server: SmtpServer, adapter: SmtpAdapter, char: str
) -> None:
    outcome = await adapter.send(a_message(subject=f"a{char}Bcc: evil@x.io"))

    assert isinstance(outcome, Permanent)
    assert outcome.code == "header_injection"
    assert not outcome.suppress
    assert server.sessions == 0


@pytest.mark.parametrize(
    "recipient",
    [
        "u@x.io\r\nRCPT TO:<e@x.io>",
        "u@x.io> SIZE=1",
        "<u@x.io>",
        "u@x.io,e@x.io",
        "Ada <u@x.io>",
        '"u e"@x.io',
        "nobody",
        "ivan@при..мер.рф",
        "",
    ],
)
async def test_a_recipient_that_is_more_than_an_address_is_refused(
    server: SmtpServer, adapter: SmtpAdapter, recipient: str
) -> None:
    assert isinstance(await adapter.send(a_message(recipient=recipient)), Permanent)
    assert server.sessions == 0


async def test_lines_of_dots_arrive_as_they_were(server: SmtpServer, adapter: SmtpAdapter) -> None:
    text = "one\n.\n..\n.three\nMAIL FROM:<eve@evil.example>\n"

    await adapter.send(a_message(text=text))

    assert text_of(parsed(server)) == text
    assert len(server.mails) == 1


async def test_names_and_subjects_in_any_script_arrive(server: SmtpServer) -> None:
    adapter = an_adapter(replace(a_config(server), sender="Käthe, Söhne & Co. <a@shop.example>"))
    subject = "Ваш заказ № 5 в пути — 🎉" * 5

    await adapter.send(a_message(subject=subject))
    await adapter.close()

    mail = parsed(server)
    assert mail["Subject"] == subject
    assert mail["From"].addresses[0].display_name == "Käthe, Söhne & Co."
    assert max(map(len, server.mails[0].wire.split(b"\r\n"))) <= 78


async def test_a_long_subject_is_folded_between_words(
    server: SmtpServer, adapter: SmtpAdapter
) -> None:
    subject = " ".join(f"word{number}" for number in range(60))

    await adapter.send(a_message(subject=subject))

    assert parsed(server)["Subject"] == subject
    assert b"=?" not in server.mails[0].wire
    assert max(map(len, server.mails[0].wire.split(b"\r\n"))) <= 78


async def test_a_domain_goes_out_in_idna_without_smtputf8(
    server: SmtpServer, adapter: SmtpAdapter
) -> None:
    assert isinstance(await adapter.send(a_message(recipient="ivan@пример.рф")), Sent)

    assert server.mails[0].recipients == ("ivan@xn--e1afmkfd.xn--p1ai",)
    assert not [command for command in server.commands if "SMTPUTF8" in command]


async def test_a_local_part_beyond_ascii_needs_smtputf8(
    server: SmtpServer, adapter: SmtpAdapter
) -> None:
    assert isinstance(await adapter.send(a_message(recipient="пётр@пример.рф")), Sent)

    assert server.mails[0].recipients == ("пётр@xn--e1afmkfd.xn--p1ai",)
    assert server.commands[1].endswith(" SMTPUTF8")
    assert parsed(server)["To"] == "пётр@xn--e1afmkfd.xn--p1ai"


async def test_a_local_part_beyond_ascii_is_permanent_without_smtputf8(
    server: SmtpServer, adapter: SmtpAdapter
) -> None:
    server.extensions.remove("SMTPUTF8")

    outcome = await adapter.send(a_message(recipient="пётр@пример.рф"))

    assert isinstance(outcome, Permanent)
    assert outcome.code == "smtputf8"
    assert isinstance(await adapter.send(a_message()), Sent)
    assert server.sessions == 1


async def test_another_implementation_of_smtp_takes_it_too(smtp_server: IndependentServer) -> None:
    config = SmtpConfig(
        host=smtp_server.host,
        port=smtp_server.port,
        sender="Shop <no-reply@shop.example>",
        security="none",
    )
    adapter = an_adapter(config)

    outcomes = [await adapter.send(a_message(recipient=to)) for to in ("a@x.io", "пётр@x.io")]
    await adapter.close()

    assert [type(outcome) for outcome in outcomes] == [Sent, Sent]
    assert [mail.rcpt_tos for mail in smtp_server.received] == [("a@x.io",), ("пётр@x.io",)]


# --- phases ---------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("step", [Drop(), Hang()], ids=["drop", "hang"])
async def test_before_the_content_left_a_broken_link_is_transient(
    server: SmtpServer, verb: str, step: Step
) -> None:
    server.script(verb, step)
    # An opening has a part of a mail's time.
    silent_s = 5 * HASTY_S if verb in ("CONNECT", "EHLO") else HASTY_S
    timeout_s = silent_s if isinstance(step, Hang) else AT_ALL_S

    outcome = await send_once(replace(a_config(server), timeout_s=timeout_s))

    assert isinstance(outcome, Transient)
    assert outcome.code == ("timeout" if isinstance(step, Hang) else "connection_lost")
    assert outcome.message.startswith(verb.lower())
    assert server.mails == []


@pytest.mark.parametrize("step", [Drop(), Hang(), "nonsense"], ids=["drop", "hang", "nonsense"])
async def test_after_the_content_left_a_broken_link_is_unknown(
    server: SmtpServer, step: Step
) -> None:
    server.script("CONTENT", step)
    timeout_s = HASTY_S if isinstance(step, Hang) else AT_ALL_S

    outcome = await send_once(replace(a_config(server), timeout_s=timeout_s))

    assert isinstance(outcome, Unknown)
    assert len(server.mails) == 1


async def content_that_the_server_does_not_read() -> tuple[Outcome, int]:
    step = StopReading()
    async with open_smtp() as server:
        server.extensions[server.extensions.index("SIZE 10000000")] = "SIZE 0"
        server.script("CONTENT", step)
        adapter = an_adapter(replace(a_config(server), timeout_s=HASTY_S))
        outcome = await adapter.send(a_message(text="x" * 16_000_000))
        step.resumed.set()
        await server.wait_until_empty()
        await adapter.close()
        return outcome, len(server.mails)


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_content_whose_end_never_left_is_transient_and_never_leaves_later(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        outcome, mails = runner.run(content_that_the_server_does_not_read())

    assert isinstance(outcome, Transient)
    assert outcome.code == "timeout"
    assert mails == 0


async def test_a_server_name_that_does_not_resolve_spends_no_attempt_where_there_is_none(
    server: SmtpServer,
) -> None:
    outcome = await send_once(replace(a_config(server), host="nowhere.invalid"))

    assert isinstance(outcome, Systemic | Transient)  # by what the machine's resolver knows
    assert outcome.code == "dns"


async def test_a_connection_closed_without_a_greeting_spends_no_attempt(
    server: SmtpServer,
) -> None:
    server.script("CONNECT", Drop(), Drop(), Drop())

    outcome = await send_once(a_config(server))

    assert isinstance(outcome, Transient)
    assert outcome.throttled


async def test_a_server_that_goes_on_turning_us_away_is_asked_less_and_less(
    server: SmtpServer,
) -> None:
    server.bears = 0
    clock = ManualClock()
    adapter = SmtpAdapter(a_config(server), clock)
    waits_s = []
    for _ in range(4):
        outcome = await adapter.send(a_message())
        assert isinstance(outcome, Transient)
        assert outcome.throttled
        waits_s.append(outcome.retry_after_s)
        clock.advance(100)
    await adapter.close()

    assert waits_s == [4, 25, 50, 60]


# --- pipelining -----------------------------------------------------------------------------

OFFERED = pytest.mark.parametrize("writes", Writes)


async def carried(server: SmtpServer, mails: int = 2) -> list[Outcome]:
    """Send mails one after the other, over one connection where it lasts."""
    adapter = an_adapter(a_config(server))
    outcomes = [await adapter.send(a_message(text=f"mail {n}")) for n in range(mails)]
    await adapter.close()
    return outcomes


async def test_commands_go_without_waiting_only_where_that_is_offered(server: SmtpServer) -> None:
    hang = Hang()
    server.script("MAIL", hang)

    assert isinstance(await send_once(replace(a_config(server), timeout_s=HASTY_S)), Transient)

    waited_for = not hang.unread
    assert waited_for == ("PIPELINING" not in server.extensions)
    assert bytes(hang.unread).endswith(b"" if waited_for else b"\r\nDATA\r\n")


@OFFERED
async def test_replies_are_told_apart_however_they_are_cut(
    pipelining: SmtpServer, writes: Writes
) -> None:
    pipelining.writes = writes
    pipelining.script("MAIL", "250-2.1.0 first\r\n250-2.1.0 354\r\n250 2.1.0 last")
    pipelining.script("RCPT", "250-2.1.5 one\r\n250 2.1.5 two")
    pipelining.script("DATA", "354-go\r\n354 on")

    assert await carried(pipelining, 3) == [Sent("Q000001"), Sent("Q000002"), Sent("Q000003")]
    assert [b"mail %d" % n in mail.wire for n, mail in enumerate(pipelining.mails)] == [True] * 3
    assert pipelining.sessions == 1


@OFFERED
@pytest.mark.parametrize("data", ["503 5.5.1 no RCPT", "554 5.5.1 no valid recipients"])
@pytest.mark.parametrize(
    ("verb", "refusal", "verdict"),
    [
        ("MAIL", "451 4.3.0 later", Transient),
        ("MAIL", "550-5.7.1 not\r\n550 5.7.1 yours", Systemic),
        ("RCPT", "450 4.2.0 mailbox busy", Transient),
        ("RCPT", "550-5.1.1 no such\r\n550 5.1.1 user", Permanent),
    ],
)
async def test_a_refusal_costs_neither_the_connection_nor_the_next_mail(
    pipelining: SmtpServer,
    writes: Writes,
    data: str,
    verb: str,
    refusal: str,
    verdict: type[Outcome],
) -> None:
    pipelining.writes = writes
    pipelining.script(verb, refusal)
    pipelining.script("DATA", data)

    refused, sent = await carried(pipelining)

    assert isinstance(refused, verdict)
    assert isinstance(refused, Transient | Systemic | Permanent)
    assert refused.code == f"{refusal[:3]} {refusal[4:9]}"
    assert refused.message.startswith(verb.lower())
    assert sent == Sent("Q000001")
    assert [b"mail 1" in mail.wire for mail in pipelining.mails] == [True]
    assert pipelining.sessions == 1


@OFFERED
@pytest.mark.parametrize("refusal", ["450 4.2.0 mailbox busy", "550 5.1.1 no such user"])
@pytest.mark.parametrize("end", ["554 5.5.1 no valid recipients", "250 2.0.0 OK"])
async def test_a_data_that_no_recipient_stands_for_ends_with_a_single_dot(
    pipelining: SmtpServer, writes: Writes, refusal: str, end: str
) -> None:
    pipelining.writes = writes
    pipelining.script("RCPT", refusal)
    pipelining.script("DATA", "354 go on all the same")
    pipelining.script("CONTENT", end)

    refused, sent = await carried(pipelining)

    assert isinstance(refused, Permanent if refusal.startswith("5") else Transient)
    assert isinstance(sent, Sent)
    told = [(mail.recipients, mail.wire) for mail in pipelining.mails]
    assert told[:-1] == ([((), b"")] if end.startswith("2") else [])
    assert b"mail 1" in told[-1][1]
    assert pipelining.sessions == 1


async def test_after_a_refused_reset_no_dot_ends_what_was_open_before(
    pipelining: SmtpServer,
) -> None:
    pipelining.script("DATA", "451 4.3.0 later", "354 go on")
    pipelining.script("RSET", "502 5.5.1 not implemented")
    pipelining.script("RCPT", "250 2.1.5 OK", "550 5.1.1 no such user")

    outcomes = await carried(pipelining, 3)

    assert [type(outcome) for outcome in outcomes] == [Transient, Systemic, Sent]
    assert [mail.session for mail in pipelining.mails] == [2]


async def test_a_recipient_taken_without_a_sender_gets_no_empty_mail(
    pipelining: SmtpServer,
) -> None:
    pipelining.script("MAIL", "451 4.3.0 later")
    pipelining.script("RCPT", "250 2.1.5 OK")

    outcomes = await carried(pipelining)

    assert [type(outcome) for outcome in outcomes] == [Transient, Sent]
    assert [mail.session for mail in pipelining.mails] == [2]


@pytest.mark.parametrize("end", [Drop(), "421 4.3.2 shutting down", "nonsense"])
async def test_a_single_dot_without_a_clear_answer_costs_the_connection(
    pipelining: SmtpServer, end: Step
) -> None:
    pipelining.script("RCPT", "550 5.1.1 no such user")
    pipelining.script("DATA", "354 go on all the same")
    pipelining.script("CONTENT", end)

    refused, sent = await carried(pipelining)

    assert isinstance(refused, Permanent)
    assert isinstance(sent, Sent)
    assert [mail.session for mail in pipelining.mails if mail.recipients] == [2]


@pytest.mark.parametrize("verb", ["MAIL", "RCPT"])
async def test_a_refusal_is_told_without_waiting_for_what_comes_after(
    pipelining: SmtpServer, verb: str
) -> None:
    pipelining.script(verb, "550 5.1.1 no")
    pipelining.script("DATA", Hang())

    async with asyncio.timeout(AT_ALL_S):
        config = replace(a_config(pipelining), reuse_timeout_s=HASTY_S, timeout_s=2 * AT_ALL_S)
        adapter = an_adapter(config)
        refused = await adapter.send(a_message())
        assert isinstance(refused, Permanent | Systemic)
        assert isinstance(await adapter.send(a_message()), Sent)
        await adapter.close()


@OFFERED
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("end", [Drop(), ReplyThenDrop("421 4.3.2 shutting down")])
async def test_a_connection_that_ends_amid_its_replies_is_transient(
    pipelining: SmtpServer, writes: Writes, verb: str, end: Step
) -> None:
    pipelining.writes = writes
    pipelining.script(verb, end)

    (outcome,) = await carried(pipelining, 1)

    assert isinstance(outcome, Transient)
    assert pipelining.mails == []
    assert pipelining.sessions == 1


async def test_a_connection_with_a_reply_too_many_is_not_used_again(
    pipelining: SmtpServer,
) -> None:
    pipelining.script("DATA", "354 go on\r\n250 2.0.0 OK: queued as TOO-EARLY")

    assert await carried(pipelining) == [Sent("Q000001"), Sent("Q000002")]
    assert [mail.session for mail in pipelining.mails] == [1, 2]


# --- kept connections -----------------------------------------------------------------------


async def test_mails_share_a_connection(server: SmtpServer, adapter: SmtpAdapter) -> None:
    for _ in range(3):
        await adapter.send(a_message())

    assert [mail.session for mail in server.mails] == [1, 1, 1]


async def test_a_refused_recipient_does_not_cost_the_connection(
    server: SmtpServer, adapter: SmtpAdapter
) -> None:
    server.script("RCPT", "550 5.1.1 unknown")

    assert isinstance(await adapter.send(a_message()), Permanent)
    assert isinstance(await adapter.send(a_message()), Sent)
    assert server.sessions == 1


async def test_a_connection_carries_only_so_many_mails(server: SmtpServer) -> None:
    adapter = an_adapter(replace(a_config(server), max_mails_per_connection=2))

    for _ in range(5):
        await adapter.send(a_message())
    await adapter.close()

    assert [mail.session for mail in server.mails] == [1, 1, 2, 2, 3]


async def test_a_connection_that_was_idle_too_long_is_not_used_again(server: SmtpServer) -> None:
    clock = ManualClock()
    adapter = SmtpAdapter(replace(a_config(server), max_idle_s=30), clock)

    for pause_s in (29, 31, 0):
        await adapter.send(a_message())
        clock.advance(pause_s)
    await adapter.close()

    assert [mail.session for mail in server.mails] == [1, 1, 2]


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    "step", [Drop(), ReplyThenDrop("421 4.4.2 idle for too long")], ids=["drop", "421"]
)
async def test_a_kept_connection_that_dies_before_the_content_is_replaced_at_once(
    server: SmtpServer, adapter: SmtpAdapter, verb: str, step: Step
) -> None:
    await adapter.send(a_message())
    server.script(verb, step)

    assert isinstance(await adapter.send(a_message()), Sent)
    assert [mail.session for mail in server.mails] == [1, 2]


async def test_a_kept_connection_that_the_server_closed_is_replaced(
    server: SmtpServer, adapter: SmtpAdapter
) -> None:
    await adapter.send(a_message())
    server.drop_all()
    await server.wait_until_empty()

    assert isinstance(await adapter.send(a_message()), Sent)


async def test_a_kept_connection_that_is_dead_without_a_word_costs_little(
    server: SmtpServer,
) -> None:
    config = replace(a_config(server), reuse_timeout_s=HASTY_S, timeout_s=2 * AT_ALL_S)
    adapter = an_adapter(config)
    await adapter.send(a_message())
    server.script("MAIL", Hang())

    async with asyncio.timeout(AT_ALL_S):
        assert isinstance(await adapter.send(a_message()), Sent)
    await adapter.close()


async def test_a_kept_connection_that_answers_has_all_the_time_for_the_rest(
    server: SmtpServer,
) -> None:
    reuse_timeout_s = 2 * HASTY_S
    adapter = an_adapter(replace(a_config(server), reuse_timeout_s=reuse_timeout_s))
    await adapter.send(a_message())
    pause = StopReading()
    server.script("CONTENT", pause)
    asyncio.get_running_loop().call_later(1.5 * reuse_timeout_s, pause.resumed.set)

    assert isinstance(await adapter.send(a_message()), Sent)
    assert server.sessions == 1
    await adapter.close()


async def test_a_fresh_connection_that_dies_is_not_tried_twice(
    server: SmtpServer, adapter: SmtpAdapter
) -> None:
    server.script("MAIL", Drop())

    assert isinstance(await adapter.send(a_message()), Transient)
    assert server.sessions == 1


async def test_a_kept_connection_that_dies_after_the_content_is_never_repeated(
    server: SmtpServer, adapter: SmtpAdapter
) -> None:
    await adapter.send(a_message())
    server.script("CONTENT", Drop())

    assert isinstance(await adapter.send(a_message()), Unknown)
    assert len(server.mails) == 2
    assert server.sessions == 1


async def test_as_many_mails_are_under_way_as_there_may_be_connections(server: SmtpServer) -> None:
    hangs = [Hang() for _ in range(100)]
    server.script("CONTENT", *hangs)
    adapter = an_adapter(replace(a_config(server), max_connections=100, timeout_s=AT_ALL_S))
    sending = [asyncio.create_task(adapter.send(a_message())) for _ in range(101)]

    async with asyncio.timeout(AT_ALL_S):
        await asyncio.gather(*(hang.arrived.wait() for hang in hangs))
    assert server.sessions == 100

    server.drop_all()
    outcomes = [type(outcome) for outcome in await asyncio.gather(*sending)]
    assert outcomes == [Unknown] * 100 + [Sent]
    await adapter.close()


@pytest.mark.parametrize("greets", [True, False], ids=["421", "silence"])
async def test_a_server_that_bears_few_connections_takes_all_mails_over_them(
    server: SmtpServer, *, greets: bool
) -> None:
    server.bears, server.greets_beyond = 4, greets
    adapter = an_adapter(replace(a_config(server), max_connections=32))

    outcomes = await asyncio.gather(*(adapter.send(a_message()) for _ in range(200)))
    await adapter.close()

    assert {type(outcome) for outcome in outcomes} == {Sent}
    assert len(server.mails) == 200
    assert len({mail.session for mail in server.mails}) <= 16


async def test_two_adapters_share_what_a_server_bears(server: SmtpServer) -> None:
    server.bears = 4
    config = replace(a_config(server), max_connections=8, full_patience_s=5)
    first, second = an_adapter(config), SmtpAdapter(config, SystemClock())

    async def send_all(adapter: SmtpAdapter) -> list[Outcome]:
        return await asyncio.gather(*(adapter.send(a_message()) for _ in range(50)))

    outcomes = await asyncio.gather(send_all(first), send_all(second))
    await asyncio.gather(first.close(), second.close())

    assert {type(outcome) for outcome in outcomes[0] + outcomes[1]} == {Sent}


async def test_whose_turn_never_comes_spends_no_attempt(server: SmtpServer) -> None:
    hang = Hang()
    server.script("CONTENT", hang)
    adapter = an_adapter(replace(a_config(server), timeout_s=1))
    first = asyncio.create_task(adapter.send(a_message()))
    await hang.arrived.wait()
    server.bears = 0

    second = await adapter.send(a_message())
    await first
    await adapter.close()

    assert isinstance(second, Transient)
    assert second.throttled


async def test_a_closed_adapter_keeps_no_connection(server: SmtpServer) -> None:
    hang = Hang()
    server.script("CONTENT", hang)
    adapter = an_adapter(replace(a_config(server), timeout_s=4 * HASTY_S))
    sending = asyncio.create_task(adapter.send(a_message()))
    await hang.arrived.wait()

    await adapter.close()
    await sending
    await adapter.send(a_message())

    async with asyncio.timeout(AT_ALL_S):
        await server.wait_until_empty()


async def test_closing_says_goodbye(server: SmtpServer, adapter: SmtpAdapter) -> None:
    await adapter.send(a_message())

    await adapter.close()

    assert server.commands[-1] == "QUIT"


async def test_closing_does_not_wait_for_a_silent_server(
    server: SmtpServer, adapter: SmtpAdapter
) -> None:
    await adapter.send(a_message())
    server.script("QUIT", Drop())

    await adapter.close()

    async with asyncio.timeout(AT_ALL_S):
        await server.wait_until_empty()


# --- replies --------------------------------------------------------------------------------

REPLIES: list[tuple[str, str, type[Outcome], dict[str, object]]] = [
    ("CONNECT", "421 4.3.2 shutting down", Transient, {"throttled": True}),
    ("CONNECT", "421 4.7.0 too many connections from you", Transient, {"throttled": True}),
    ("CONNECT", "421 Too many concurrent SMTP connections", Transient, {"throttled": True}),
    ("CONNECT", "450 4.3.0 not now", Transient, {"throttled": True}),
    ("EHLO", "421 4.4.5 server busy", Transient, {"throttled": True, "retry_after_s": 4}),
    ("CONNECT", "554 5.7.1 no service for you", Systemic, {"code": "554 5.7.1"}),
    ("EHLO", "550 who are you", Systemic, {"code": "550"}),
    ("MAIL", "530 5.7.0 must issue STARTTLS", Systemic, {}),
    ("MAIL", "550 5.7.1 not your domain", Systemic, {"concerns_recipient": False}),
    ("MAIL", "450 4.7.1 Error: too much mail from 192.0.2.7", Transient, {"throttled": True}),
    ("MAIL", "452 4.3.1 out of storage", Transient, {}),
    ("MAIL", "552 5.3.4 too big", Permanent, {"suppress": False}),
    ("RCPT", "450 4.2.0 mailbox busy", Transient, {"retry_after_s": None}),
    ("RCPT", "451 4.7.1 come back later", Transient, {"retry_after_s": 300}),
    ("RCPT", "450 4.7.1 come back later", Transient, {"retry_after_s": 300}),
    ("RCPT", "450 4.2.0 Greylisted, see our page", Transient, {"retry_after_s": 300}),
    ("RCPT", "452 4.5.3 too many recipients", Transient, {}),
    ("RCPT", "454 4.7.0 Throttling failure", Transient, {"throttled": True}),
    ("RCPT", "552 too many recipients", Transient, {}),
    ("RCPT", "552 5.2.2 over quota", Permanent, {"suppress": False}),
    ("RCPT", "550 5.1.1 no such user", Permanent, {"suppress": True}),
    ("RCPT", "550 5.1.2 no such domain", Permanent, {"suppress": True}),
    ("RCPT", "550 5.1.10 null mx", Permanent, {"suppress": True}),
    ("RCPT", "550-5.1.1 no such\r\n550 5.1.1 user", Permanent, {"message": "rcpt: no such user"}),
    ("RCPT", "550 5.1.8 bad sender", Systemic, {}),
    ("RCPT", "550 no such user", Permanent, {"suppress": False, "code": "550"}),
    ("RCPT", "550 5.7.1 blocked by policy", Permanent, {"suppress": False}),
    ("RCPT", "554 5.7.1 Relay access denied", Transient, {"concerns_recipient": True}),
    (
        "RCPT",
        "553 5.7.1 <a@b.example>: Sender address rejected: not owned by user shop",
        Systemic,
        {"concerns_recipient": True},
    ),
    ("RCPT", "535 5.7.8 log in again", Systemic, {}),
    ("RCPT", "354 what?", Transient, {}),
    ("DATA", "554 5.5.1 no valid recipients", Permanent, {}),
    ("CONTENT", "451 4.3.0 try again", Transient, {}),
    ("CONTENT", "421 4.3.2 shutting down", Transient, {}),
    ("CONTENT", "552 5.3.4 too big", Permanent, {"suppress": False}),
    ("CONTENT", "554 5.7.1 looks like spam", Permanent, {"suppress": False}),
    ("CONTENT", "550 5.1.1 no such user", Permanent, {"suppress": True}),
    ("CONTENT", "354 what?", Unknown, {}),
]


@pytest.mark.parametrize(("verb", "reply", "verdict", "details"), REPLIES)
async def test_a_reply_is_judged_by_phase_and_codes(
    server: SmtpServer,
    adapter: SmtpAdapter,
    verb: str,
    reply: str,
    verdict: type[Outcome],
    details: dict[str, object],
) -> None:
    server.script(verb, reply)

    outcome = await adapter.send(a_message())

    assert isinstance(outcome, verdict)
    assert {name: getattr(outcome, name) for name in details} == details


# --- encryption and login -------------------------------------------------------------------


def a_safe_config(server: SmtpServer, certificates: Certificates) -> SmtpConfig:
    return replace(
        a_config(server),
        security="starttls",
        ca_file=str(certificates.authority),
        username=LOGIN[0],
        password=LOGIN[1],
    )


@pytest.mark.parametrize("methods", ["PLAIN LOGIN", "LOGIN"])
async def test_mail_goes_encrypted_after_a_login(certificates: Certificates, methods: str) -> None:
    async with open_smtp(certificates.server_context(), LOGIN) as server:
        server.auth_methods = methods
        assert isinstance(await send_once(a_safe_config(server, certificates)), Sent)

    verbs = [command.split()[0] for command in server.commands]
    assert verbs == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]


async def test_mail_goes_encrypted_from_the_first_byte(certificates: Certificates) -> None:
    async with open_smtp(certificates.server_context(), LOGIN, implicit_tls=True) as server:
        config = replace(a_safe_config(server, certificates), security="tls")
        assert isinstance(await send_once(config), Sent)

    assert "STARTTLS" not in server.commands


async def test_a_server_without_starttls_gets_neither_login_nor_mail(
    certificates: Certificates,
) -> None:
    async with open_smtp(credentials=LOGIN) as server:
        outcome = await send_once(a_safe_config(server, certificates))

    assert isinstance(outcome, Systemic)
    assert outcome.code == "starttls_missing"
    assert [command.split()[0] for command in server.commands] == ["EHLO"]


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_that_we_do_not_trust_is_systemic(
    certificates: Certificates, security: str
) -> None:
    is_implicit = security == "tls"
    async with open_smtp(certificates.server_context(), LOGIN, implicit_tls=is_implicit) as server:
        config = replace(a_safe_config(server, certificates), ca_file=None)
        outcome = await send_once(replace(config, security="tls" if is_implicit else "starttls"))

    assert isinstance(outcome, Systemic)
    assert outcome.code == "tls"
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.message
    assert not [command for command in server.commands if command.startswith(("AUTH", "MAIL"))]


@pytest.mark.parametrize(
    ("reply", "verdict"), [("454 4.7.0 TLS not now", Transient), ("501 no", Systemic)]
)
async def test_a_refused_starttls_is_judged_by_its_reply(
    certificates: Certificates, reply: str, verdict: type[Outcome]
) -> None:
    async with open_smtp(certificates.server_context(), LOGIN) as server:
        server.script("STARTTLS", reply)
        assert isinstance(await send_once(a_safe_config(server, certificates)), verdict)


async def test_a_handshake_that_stalls_is_transient(certificates: Certificates) -> None:
    async with open_smtp() as server:
        server.script("CONNECT", Hang(), Hang())
        config = replace(a_safe_config(server, certificates), security="tls", timeout_s=1)
        outcome = await send_once(config)

    assert isinstance(outcome, Transient)
    assert outcome.code == "timeout"


async def test_a_wrong_password_is_systemic_and_tried_once(certificates: Certificates) -> None:
    async with open_smtp(certificates.server_context(), LOGIN) as server:
        config = replace(a_safe_config(server, certificates), password="hunter2-wrong")
        server.script("AUTH", "535 5.7.8 hunter2-wrong is no password of notifier")
        outcome = await send_once(config)

    assert isinstance(outcome, Systemic)
    assert outcome.code == "535 5.7.8"
    assert "hunter2" not in repr(outcome)
    assert len([command for command in server.commands if command.startswith("AUTH")]) == 1


async def test_a_method_that_the_server_only_claims_to_know_is_followed_by_the_next(
    certificates: Certificates,
) -> None:
    async with open_smtp(certificates.server_context(), LOGIN) as server:
        server.script("AUTH", "504 5.5.4 not that one")
        assert isinstance(await send_once(a_safe_config(server, certificates)), Sent)

    methods = [command.split()[1] for command in server.commands if command.startswith("AUTH")]
    assert methods == ["PLAIN", "LOGIN"]


async def test_a_login_that_fails_for_now_is_transient(certificates: Certificates) -> None:
    async with open_smtp(certificates.server_context(), LOGIN) as server:
        server.script("AUTH", "454 4.7.0 temporary authentication failure")
        assert isinstance(await send_once(a_safe_config(server, certificates)), Transient)


@pytest.mark.parametrize(
    "offer", ["AUTH=LOGIN PLAIN", "AUTH  PLAIN   LOGIN ", "auth plain", "AUTH X\r\n250-AUTH=PLAIN"]
)
async def test_logins_on_offer_are_found_however_they_are_written(
    certificates: Certificates, offer: str
) -> None:
    async with open_smtp(certificates.server_context(), LOGIN) as server:
        server.script("EHLO", "250-a\r\n250 STARTTLS", f"250-a\r\n250-{offer}\r\n250 HELP")
        assert isinstance(await send_once(a_safe_config(server, certificates)), Sent)


async def test_what_is_said_in_the_clear_after_starttls_counts_for_nothing(
    certificates: Certificates,
) -> None:
    async with open_smtp(certificates.server_context(), LOGIN) as server:
        server.script("STARTTLS", "220 go on\r\n250-evil\r\n250 AUTH X-EVIL")
        assert isinstance(await send_once(a_safe_config(server, certificates)), Sent)


@pytest.mark.parametrize(
    ("verb", "before"), [("EHLO", 0), ("EHLO", 1), ("STARTTLS", 0), ("AUTH", 0)]
)
async def test_a_server_that_goes_away_while_a_connection_opens_spends_no_attempt(
    certificates: Certificates, verb: str, before: int
) -> None:
    gone = ReplyThenDrop("421 4.3.2 going down")
    async with open_smtp(certificates.server_context(), LOGIN) as server:
        server.script(verb, *["250-a\r\n250 STARTTLS"] * before, gone)
        outcome = await send_once(a_safe_config(server, certificates))

    assert isinstance(outcome, Transient)
    assert outcome.throttled


async def test_a_server_without_a_login_that_we_know_is_systemic(
    certificates: Certificates,
) -> None:
    async with open_smtp(certificates.server_context(), LOGIN) as server:
        server.auth_methods = "GSSAPI"
        outcome = await send_once(a_safe_config(server, certificates))

    assert isinstance(outcome, Systemic)
    assert outcome.code == "auth_missing"


# --- set up wrongly -------------------------------------------------------------------------


@pytest.mark.parametrize("security", ["starttls", "none"])
async def test_a_server_that_speaks_tls_first_is_told_from_a_silent_one(
    certificates: Certificates, security: str
) -> None:
    async with open_smtp(certificates.server_context(), implicit_tls=True) as server:
        config = replace(a_config(server), timeout_s=3)
        is_starttls = security == "starttls"
        outcome = await send_once(replace(config, security="starttls" if is_starttls else "none"))

    assert isinstance(outcome, Systemic)
    assert outcome.code == "tls_mode"
    assert "NOTIFIER_SMTP__SECURITY to tls" in outcome.message


async def test_a_server_that_begins_in_the_clear_is_told_from_a_bad_handshake(
    server: SmtpServer,
) -> None:
    outcome = await send_once(replace(a_config(server), security="tls"))

    assert isinstance(outcome, Systemic)
    assert outcome.code == "tls_mode"
    assert "NOTIFIER_SMTP__SECURITY to starttls" in outcome.message


async def test_a_server_that_worked_is_not_suspected_when_it_falls_silent(
    server: SmtpServer,
) -> None:
    adapter = an_adapter(replace(a_config(server), max_mails_per_connection=1, timeout_s=3))
    assert isinstance(await adapter.send(a_message()), Sent)
    server.script("CONNECT", Hang())

    assert isinstance(await adapter.send(a_message()), Transient)
    assert server.sessions == 2
    await adapter.close()


@pytest.mark.parametrize(
    "greeting", ["* OK IMAP4rev1 ready", "+OK POP3 ready", "SSH-2.0-OpenSSH_9.2", "HTTP/1.1 400 x"]
)
async def test_a_port_of_another_protocol_is_systemic(server: SmtpServer, greeting: str) -> None:
    server.script("CONNECT", greeting)

    outcome = await send_once(a_config(server))

    assert isinstance(outcome, Systemic)
    assert outcome.code == "not_smtp"
    assert "NOTIFIER_SMTP__PORT" in outcome.message


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("host", "trusted", "setting"),
    [("127.0.0.1", False, "NOTIFIER_SMTP__CA_PATH"), ("127.1", True, "NOTIFIER_SMTP__HOST")],
)
async def test_a_certificate_that_does_not_fit_names_the_setting(
    certificates: Certificates, security: str, host: str, *, trusted: bool, setting: str
) -> None:
    is_implicit = security == "tls"
    async with open_smtp(certificates.server_context(), LOGIN, implicit_tls=is_implicit) as server:
        config = replace(
            a_safe_config(server, certificates),
            host=host,
            security="tls" if is_implicit else "starttls",
        )
        outcome = await send_once(config if trusted else replace(config, ca_file=None))

    assert isinstance(outcome, Systemic)
    assert setting in outcome.message


async def test_what_the_server_does_not_offer_names_the_setting(
    certificates: Certificates,
) -> None:
    async with open_smtp(credentials=LOGIN) as server:
        no_starttls = await send_once(a_safe_config(server, certificates))
    async with open_smtp(certificates.server_context()) as server:
        no_login = await send_once(a_safe_config(server, certificates))

    assert isinstance(no_starttls, Systemic)
    assert no_starttls.message.endswith("NOTIFIER_SMTP__SECURITY to tls")
    assert isinstance(no_login, Systemic)
    assert "NOTIFIER_SMTP__USERNAME" in no_login.message


async def test_a_server_of_another_provider_names_that_providers_settings(
    server: SmtpServer,
) -> None:
    adapter = an_adapter(replace(a_config(server), provider="another", security="starttls"))

    outcome = await adapter.send(a_message())

    assert adapter.provider == "another"
    assert isinstance(outcome, Systemic)
    assert "NOTIFIER_ANOTHER__SECURITY" in outcome.message
    await adapter.close()


@pytest.mark.parametrize(
    ("port", "security", "is_odd"),
    [
        (465, "starttls", True),
        (465, "none", True),
        (465, "tls", False),
        (2465, "starttls", True),
        (2465, "tls", False),
        (587, "tls", True),
        (2587, "tls", True),
        (25, "tls", True),
        (587, "starttls", False),
        (2525, "tls", False),
    ],
)
def test_a_port_and_a_mode_that_rarely_fit_are_warned_about_at_the_start(
    port: int, security: Literal["starttls", "tls", "none"], *, is_odd: bool
) -> None:
    with capture_logs() as logged:
        an_adapter(SmtpConfig(host="x", sender="a@x.io", port=port, security=security))

    assert [line["event"] for line in logged] == ["smtp.unusual_mode"] * is_odd


@pytest.mark.parametrize("errno", [socket.EAI_NONAME, socket.EAI_NODATA])
async def test_a_name_that_does_not_exist_is_for_an_operator(errno: int) -> None:
    error = socket.gaierror(errno, "Name or service not known")
    config = SmtpConfig(host="x", sender="a@x.io")

    found = await misconfiguration(error, Phase.CONNECT, config, has_worked=True)

    assert found is not None
    assert found.code == "dns"
    later = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    assert await misconfiguration(later, Phase.CONNECT, config, has_worked=True) is None


@pytest.mark.parametrize("name", ["mail.shop.example", "shop", "[192.0.2.1]", "[IPv6:2001:db8::1]"])
async def test_a_server_is_greeted_with_the_name_that_was_set(
    server: SmtpServer, name: str
) -> None:
    assert isinstance(await send_once(replace(a_config(server), helo_name=name)), Sent)

    assert server.commands[0] == f"EHLO {name}"


# --- settings -------------------------------------------------------------------------------


def test_a_password_is_never_sent_in_the_clear() -> None:
    config = SmtpConfig(host="x", sender="a@x.io", username="u", password="p", security="none")

    with pytest.raises(SettingsError, match="security"):
        an_adapter(config)


@pytest.mark.parametrize("sender", ["", "nobody", "Shop <a@x.io>, b@x.io", "a\r\nBcc: b@x.io"])
def test_a_sender_that_is_no_address_is_refused_at_the_start(sender: str) -> None:
    with pytest.raises(SettingsError, match="sender"):
        an_adapter(SmtpConfig(host="x", sender=sender))


@pytest.mark.parametrize("name", ["", "shop example", "192.0.2.1]", "-x.example", "a\r\nMAIL"])
def test_a_helo_name_that_is_none_is_refused_at_the_start(name: str) -> None:
    with pytest.raises(SettingsError, match="helo_name"):
        an_adapter(SmtpConfig(host="x", sender="a@x.io", helo_name=name))


def test_a_ca_file_that_is_none_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")

    for name in ("empty.pem", "missing.pem"):
        with pytest.raises(SettingsError, match="ca_file"):
            an_adapter(SmtpConfig(host="x", sender="a@x.io", ca_file=str(tmp_path / name)))


def test_a_config_does_not_show_its_password() -> None:
    assert "hunter2" not in repr(SmtpConfig(host="x", sender="a@x.io", password="hunter2"))


OWN = MailDetails(
    sender=Mailbox("B\N{LATIN SMALL LETTER U WITH DIAERESIS}ro", "orders@bills.example"),
    reply_to=Mailbox("Help", "help@shop.example"),
    headers={
        "X-Tag": "\N{PACKAGE}",
        "List-Unsubscribe": "<https://shop.example/leave?u=1>, <mailto:leave@shop.example>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    },
)


async def test_a_mail_s_own_sender_and_headers_are_on_the_wire_byte_by_byte(
    server: SmtpServer,
) -> None:
    adapter = SmtpAdapter(a_config(server), ManualClock())
    message = replace(a_message(), mail=OWN)

    assert isinstance(await adapter.send(message), Sent)
    await adapter.close()

    (mail,) = server.mails
    assert mail.sender == "orders@bills.example"
    assert mail.content.split(b"\r\n\r\n")[0].split(b"\r\n") == [
        b"From: =?utf-8?b?QsO8cm8=?=",
        b" <orders@bills.example>",
        b"Reply-To: Help <help@shop.example>",
        b"To: ada.lovelace@recipient.example",
        b"Subject: Your order",
        b"Date: Fri, 20 Nov 2026 12:00:00 +0000",
        b"Message-ID: <%b@bills.example>" % str(MESSAGE_ID).encode(),
        b"Auto-Submitted: auto-generated",
        b"X-Tag: =?utf-8?b?8J+Tpg==?=",
        b"List-Unsubscribe: <https://shop.example/leave?u=1>,",
        b" <mailto:leave@shop.example>",
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        b"MIME-Version: 1.0",
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: quoted-printable",
    ]


@pytest.mark.parametrize(
    ("verb", "reply", "is_its_own"),
    [
        ("MAIL", "550 5.1.8 no such domain", True),
        ("MAIL", "550 5.7.1 your IP is listed", False),
        ("RCPT", "553 5.7.1 <o@b.example>: Sender address rejected: not owned by user shop", True),
        ("CONTENT", "554 Message rejected: Email address is not verified. o@b.example", True),
        ("CONTENT", "550 5.7.60 Client does not have permissions to SendAs this sender", True),
        ("AUTH", "535 5.7.8 wrong password", False),
    ],
)
async def test_a_sender_of_a_mail_s_own_that_is_refused_says_nothing_about_others(
    pipelining: SmtpServer, verb: str, reply: str, *, is_its_own: bool
) -> None:
    outcomes = []
    for message in (replace(a_message(), mail=OWN), a_message()):
        pipelining.script("MAIL" if verb == "AUTH" else verb, reply)
        adapter = SmtpAdapter(a_config(pipelining), ManualClock())
        outcomes.append(await adapter.send(message))
        await adapter.close()

    own, usual = outcomes
    assert isinstance(own, Systemic)
    assert isinstance(usual, Systemic)
    assert own.concerns_sender is is_its_own
    assert own.concerns_recipient or not is_its_own
    assert not usual.concerns_sender


# --- files ----------------------------------------------------------------------------------


async def test_files_arrive_as_they_were_attached(server: SmtpServer, adapter: SmtpAdapter) -> None:
    content = b"%PDF-" + bytes(range(256)) * 5_000
    pdf = Attached(
        name="Rechnung \N{EURO SIGN}.pdf",
        type="application/pdf",
        size=len(content),
        content_id=None,
        lines=base64_lines(content),
    )

    assert await adapter.send(a_message(attached=(pdf,))) == Sent("Q000001")

    [received] = parsed(server).iter_attachments()
    assert received.get_filename() == "Rechnung \N{EURO SIGN}.pdf"
    assert received.get_content() == content


async def test_a_mail_that_a_server_is_known_not_to_take_is_not_begun(
    server: SmtpServer, adapter: SmtpAdapter
) -> None:
    server.extensions[server.extensions.index("SIZE 10000000")] = "SIZE 5000"

    outcome = await adapter.send(a_message(text="x" * 6_000))

    assert isinstance(outcome, Permanent)
    assert outcome.code == "too_large"
    assert "the server takes 5000 at most" in outcome.message
    assert server.commands.count("DATA") == 0
    assert await adapter.send(a_message()) == Sent("Q000001")
    assert server.sessions == 1


@pytest.mark.parametrize("said", ["SIZE", "SIZE 0", "SIZE lots", f"SIZE {'9' * 40}"])
async def test_a_server_that_names_no_size_is_asked(
    server: SmtpServer, adapter: SmtpAdapter, said: str
) -> None:
    server.extensions[server.extensions.index("SIZE 10000000")] = said

    assert await adapter.send(a_message(text="x" * 6_000)) == Sent("Q000001")
