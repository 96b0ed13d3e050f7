"""What real mail servers say, and whose fault the adapter takes it for."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from notifier.channels.email.smtp.adapter import SmtpAdapter
from notifier.channels.email.smtp.config import SmtpConfig
from notifier.notification.outcomes import Outcome, Permanent, Sent, Systemic, Transient
from tests.servers.mail_servers import DOMAIN, MailServer, private_exim, private_postfix
from tests.servers.messages import ManualClock, a_message
from tests.servers.needed import needed

KNOWN, GREY, FULL = f"known@{DOMAIN}", f"grey@{DOMAIN}", f"full@{DOMAIN}"
POSTFIX = {
    # Loopback is not to be trusted more than the world.
    "mynetworks": "192.0.2.0/24",
    "message_size_limit": "5000",
    "virtual_mailbox_maps": f"inline:{{ {{{KNOWN}=all/}} {{{GREY}=all/}} {{{FULL}=all/}} }}",
    "smtpd_helo_restrictions": "check_helo_access inline:{ {blocked.example=REJECT} }",
    "smtpd_sender_restrictions": "check_sender_access inline:{ {not-ours@shop.example=REJECT} "
    "{nowhere@shop.example=550 5.1.8 Domain not found} }",
    "smtpd_relay_restrictions": "reject_unauth_destination",
    "smtpd_recipient_restrictions": "check_recipient_access inline:{ "
    f"{{{GREY}=450 4.7.1 Greylisted, see https://grey.example/help}} "
    f"{{{FULL}=452 4.2.2 Mailbox is full}} }}",
}
EXIM = f"""\
  deny message = Sender verify failed
       senders = not-ours@shop.example
  deny message = relay not permitted
       domains = ! {DOMAIN}
  deny message = No Such User Here
       local_parts = ! known : ! grey
  defer message = Greylisted, please try again in 300 seconds
       local_parts = grey
"""


@pytest.fixture(scope="module")
def postfix() -> Iterator[MailServer]:
    with needed(), private_postfix(settings=POSTFIX) as server:
        yield server


@pytest.fixture(scope="module")
def exim() -> Iterator[MailServer]:
    with needed(), private_exim(rules=EXIM) as server:
        yield server


def a_config(server: MailServer) -> SmtpConfig:
    return SmtpConfig(
        host="127.0.0.1", port=server.port, sender="shop@shop.example", security="none"
    )


async def sent(config: SmtpConfig, recipient: str = KNOWN, *, text: str = "Hello") -> Outcome:
    adapter = SmtpAdapter(config, ManualClock())
    try:
        return await adapter.send(replace(a_message(text=text), recipient=recipient))
    finally:
        await adapter.close()


@pytest.mark.parametrize(
    ("recipient", "expected", "details"),
    [
        (KNOWN, Sent, {}),
        (f"nobody@{DOMAIN}", Permanent, {"suppress": True, "code": "550 5.1.1"}),
        ("ada@elsewhere.example", Transient, {"concerns_recipient": True, "throttled": False}),
        (GREY, Transient, {"concerns_recipient": True, "retry_after_s": 300}),
        (FULL, Transient, {"concerns_recipient": True, "throttled": False}),
    ],
)
async def test_postfix_refuses_a_recipient_and_nobody_else(
    postfix: MailServer, recipient: str, expected: type[Outcome], details: dict[str, object]
) -> None:
    outcome = await sent(a_config(postfix), recipient)

    assert isinstance(outcome, expected)
    assert {name: getattr(outcome, name) for name in details} == details


@pytest.mark.parametrize(
    "change",
    [
        {"sender": "not-ours@shop.example"},
        {"sender": "nowhere@shop.example"},
        {"helo_name": "blocked.example"},
    ],
)
async def test_postfix_refuses_us_when_it_is_told_the_recipient(
    postfix: MailServer, change: dict[str, str]
) -> None:
    outcome = await sent(replace(a_config(postfix), **change))  # type: ignore[arg-type]  # texts

    assert isinstance(outcome, Systemic)
    assert outcome.message.startswith("rcpt:")
    assert outcome.concerns_recipient


async def test_postfix_refuses_a_message_that_is_too_large(postfix: MailServer) -> None:
    outcome = await sent(a_config(postfix), text="x" * 6_000)

    assert isinstance(outcome, Permanent)
    assert not outcome.suppress


async def test_postfix_finds_us_too_fast() -> None:
    limit = {"smtpd_client_message_rate_limit": "1"}
    with needed(), private_postfix(settings=limit) as server:
        outcomes = [await sent(a_config(server)) for _ in range(3)]

    assert isinstance(outcomes[-1], Transient)
    assert outcomes[-1].throttled


@pytest.mark.parametrize(
    ("recipient", "sender", "expected", "details"),
    [
        (KNOWN, "shop@shop.example", Sent, {}),
        # Exim has no code of its own for it: no proof, so the address is not suppressed.
        (f"nobody@{DOMAIN}", "shop@shop.example", Permanent, {"suppress": False}),
        ("ada@elsewhere.example", "shop@shop.example", Transient, {"concerns_recipient": True}),
        (GREY, "shop@shop.example", Transient, {"retry_after_s": 300}),
        (KNOWN, "not-ours@shop.example", Systemic, {"concerns_recipient": True}),
    ],
)
async def test_exim_refuses(
    exim: MailServer,
    recipient: str,
    sender: str,
    expected: type[Outcome],
    details: dict[str, object],
) -> None:
    outcome = await sent(replace(a_config(exim), sender=sender), recipient)

    assert isinstance(outcome, expected)
    assert {name: getattr(outcome, name) for name in details} == details
