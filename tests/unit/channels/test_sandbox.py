"""What the sandbox captures of a mail."""

from dataclasses import dataclass, field, replace
from typing import Any, cast

from notifier.audience.inbox import Inbox
from notifier.channels.email.mailbox import parse_sender
from notifier.channels.email.mime import compose
from notifier.channels.provider import Parts
from notifier.channels.sandbox import SANDBOX
from notifier.composition.settings import read_settings
from notifier.notification.model import Channel, Message
from notifier.notification.outcomes import Permanent, Sent, Transient
from notifier.providers.captures import Captures
from tests.servers.messages import ManualClock, a_message
from tests.smtp_adapters import NEEDED

_SENDER = "Sh\u00f6p <shop@example.com>"
_SETTINGS = {
    **NEEDED,
    "NOTIFIER_EMAIL__PROVIDERS": "sandbox",
    "NOTIFIER_SMS__PROVIDERS": "sandbox",
    "NOTIFIER_EMAIL__SENDER": _SENDER,
}


@dataclass(slots=True)
class Kept:
    """Captures, in a list."""

    sources: list[bytes | None] = field(default_factory=list)

    async def add(self, _message: Message, source: bytes | None = None) -> None:
        self.sources.append(source)


async def captured(message: Message) -> tuple[object, list[bytes | None]]:
    kept, nowhere = Kept(), cast("Any", None)
    parts = Parts(
        settings=read_settings(_SETTINGS),
        clock=ManualClock(),
        inbox=cast("Inbox", nowhere),
        captures=cast("Captures", kept),
    )
    outcome = await SANDBOX.adapter(message.channel, parts).send(message)
    return outcome, kept.sources


async def test_the_source_of_a_mail_is_what_smtp_would_hand_over() -> None:
    message = a_message(text=".dots\n.\nare stuffed on the way", html="<p>Hi</p>")

    outcome, (source,) = await captured(message)

    handed_over = compose(message, parse_sender(_SENDER), ManualClock().now()).content
    assert isinstance(outcome, Sent)
    assert source is not None
    assert source.replace(b"\r\n.", b"\r\n..") + b".\r\n" == handed_over


async def test_an_sms_has_no_source() -> None:
    outcome, sources = await captured(a_message(Channel.SMS))

    assert isinstance(outcome, Sent)
    assert sources == [None]


async def test_what_no_server_could_be_handed_is_refused_here_too() -> None:
    outcome, sources = await captured(a_message(text="\ud800"))

    assert isinstance(outcome, Permanent)
    assert sources == []


async def test_mails_to_recipients_that_stand_for_failures_are_not_taken() -> None:
    lasting = [(each, Permanent) for each in ("refused", "full", "blocked")]
    for recipient, kind in (*lasting, ("later", Transient), ("BUSY", Transient)):
        message = replace(a_message(), recipient=f"{recipient}@sandbox.example")

        outcome, sources = await captured(message)

        assert isinstance(outcome, kind)
        assert sources == []
