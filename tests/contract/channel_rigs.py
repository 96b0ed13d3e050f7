"""Every adapter with its provider behind it, under one handle for the contract suite."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any, TypeAlias, cast
from uuid import UUID

from notifier.audience.inbox import Inbox
from notifier.channels.email.sendgrid.adapter import SendGridAdapter, SendGridConfig
from notifier.channels.email.smtp.adapter import SmtpAdapter
from notifier.channels.email.smtp.config import SmtpConfig
from notifier.channels.in_app import InAppAdapter
from notifier.channels.sandbox import SandboxAdapter
from notifier.channels.sms.twilio.adapter import TwilioAdapter, TwilioConfig
from notifier.delivery.ports import ChannelAdapter
from notifier.errors import StoreUnavailableError
from notifier.notification.model import Channel, Message
from notifier.notification.outcomes import Permanent, Systemic, Transient
from notifier.providers.captures import Captures
from tests.servers.messages import ManualClock, a_message
from tests.servers.providers import (
    DropAfterTaking,
    Hold,
    Provider,
    Step,
    open_sendgrid,
    open_twilio,
    sendgrid_refusal,
    twilio_refusal,
)
from tests.servers.scripted_smtp import Drop, Hang, SmtpServer, open_ses, open_smtp

MAX_CONNECTIONS = 2

Verdict: TypeAlias = type[Transient] | type[Permanent] | type[Systemic]
MakeAdapter: TypeAlias = Callable[[int, float], ChannelAdapter]


def smtp_adapter(port: int, timeout_s: float) -> ChannelAdapter:
    return SmtpAdapter(smtp_config(port, timeout_s), ManualClock())


def ses_adapter(port: int, timeout_s: float) -> ChannelAdapter:
    headers = {"X-SES-CONFIGURATION-SET": "shop"}
    config = replace(smtp_config(port, timeout_s), provider="ses", headers=headers)
    return SmtpAdapter(config, ManualClock())


def smtp_config(port: int, timeout_s: float) -> SmtpConfig:
    return SmtpConfig(
        host="127.0.0.1",
        port=port,
        sender="Shop <no-reply@shop.example>",
        security="none",
        timeout_s=timeout_s,
        max_connections=MAX_CONNECTIONS,
    )


def sendgrid_adapter(port: int, timeout_s: float) -> ChannelAdapter:
    config = SendGridConfig(
        api_key="SG.key",
        sender="Shop <no-reply@shop.example>",
        base_url=f"http://127.0.0.1:{port}",
        timeout_s=timeout_s,
        max_connections=MAX_CONNECTIONS,
    )
    return SendGridAdapter(config, ManualClock())


def twilio_adapter(port: int, timeout_s: float) -> ChannelAdapter:
    config = TwilioConfig(
        account_sid="AC0",
        auth_token="token",
        sender="+15005550006",
        base_url=f"http://127.0.0.1:{port}",
        status_callback_base_url="https://notify.example/callbacks",
        timeout_s=timeout_s,
        max_connections=MAX_CONNECTIONS,
    )
    return TwilioAdapter(config, ManualClock())


class Rig:
    """One adapter, and a hold on what stands behind it."""

    verdicts: Sequence[Verdict] = (Transient, Permanent, Systemic)

    def __init__(self, adapter: ChannelAdapter, message: Message) -> None:
        self.adapter = adapter
        self.message = message

    def refuse(self, verdict: Verdict, words: str = "no") -> None:
        """Let the next hand-over be refused so."""
        raise NotImplementedError

    def lose_answer(self) -> None:
        """Let the next hand-over be taken, and the link break before the answer."""
        raise NotImplementedError

    def hang(self) -> asyncio.Event:
        """Let the next hand-over get no answer; the event says that it came to that."""
        raise NotImplementedError

    def taken(self) -> Sequence[UUID]:
        """The notifications that arrived, in order."""
        raise NotImplementedError

    def open_connections(self) -> int:
        return 0


class SmtpRig(Rig):
    def __init__(self, server: SmtpServer, adapter: ChannelAdapter) -> None:
        super().__init__(adapter, a_message(Channel.EMAIL))
        self._server = server

    def refuse(self, verdict: Verdict, words: str = "no") -> None:
        codes = {Transient: "451 4.3.0", Permanent: "550 5.7.1", Systemic: "535 5.7.8"}
        self._server.script("RCPT", f"{codes[verdict]} {words}")

    def lose_answer(self) -> None:
        self._server.script("CONTENT", Drop())

    def hang(self) -> asyncio.Event:
        step = Hang()
        self._server.script("CONTENT", step)
        return step.arrived

    def taken(self) -> Sequence[UUID]:
        ids = (mail.content.partition(b"Message-ID: <")[2][:36] for mail in self._server.mails)
        return [UUID(id_.decode()) for id_ in ids]

    def open_connections(self) -> int:
        return self._server.open_sessions


class SesRig(SmtpRig):
    """SES takes every sender and recipient, and refuses what was sent."""

    def refuse(self, verdict: Verdict, words: str = "no") -> None:
        replies = {
            Transient: "454 Temporary service failure",
            Permanent: "552 Message is too long.",
            Systemic: "554 Message rejected: Email address is not verified.",
        }
        self._server.script("CONTENT", f"{replies[verdict]} {words}")


class HttpRig(Rig):
    def __init__(self, provider: Provider, adapter: ChannelAdapter, message: Message) -> None:
        super().__init__(adapter, message)
        self._provider = provider

    def refusal(self, status: int, words: str) -> Step:
        raise NotImplementedError

    def refuse(self, verdict: Verdict, words: str = "no") -> None:
        statuses = {Transient: 429, Permanent: 400, Systemic: 403}
        self._provider.script(self.refusal(statuses[verdict], words))

    def lose_answer(self) -> None:
        self._provider.script(DropAfterTaking())

    def hang(self) -> asyncio.Event:
        step = Hold()
        self._provider.script(step)
        return step.arrived

    def open_connections(self) -> int:
        return self._provider.open_connections


class SendGridRig(HttpRig):
    def refusal(self, status: int, words: str) -> Step:
        return sendgrid_refusal(status, words)

    def taken(self) -> Sequence[UUID]:
        return [_notification_id(arrival.fields) for arrival in self._provider.arrivals]


def _notification_id(fields: Any) -> UUID:
    return UUID(fields["personalizations"][0]["custom_args"]["notification_id"])


class TwilioRig(HttpRig):
    def refusal(self, status: int, words: str) -> Step:
        codes = {400: 21617}  # the body is too long; a status alone says little
        return twilio_refusal(status, codes.get(status, 0), words)

    def taken(self) -> Sequence[UUID]:
        urls = (str(arrival.fields["StatusCallback"]) for arrival in self._provider.arrivals)
        return [UUID(url.rpartition("/")[2]) for url in urls]


class Shelf:
    """An inbox, or captures, as far as an adapter writes to them."""

    def __init__(self) -> None:
        self.messages: dict[UUID, Message] = {}
        self.error: Exception | None = None
        self.hanging: asyncio.Event | None = None

    async def deliver(self, message: Message, _source: bytes | None = None) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error
        hanging, self.hanging = self.hanging, None
        if hanging is not None:
            hanging.set()
            await asyncio.Event().wait()
        self.messages[message.id] = message

    add = deliver


class ShelfRig(Rig):
    verdicts = (Transient,)

    def __init__(self, shelf: Shelf, adapter: ChannelAdapter) -> None:
        super().__init__(adapter, a_message(Channel.IN_APP))
        self._shelf = shelf

    def refuse(self, verdict: Verdict, words: str = "no") -> None:
        assert verdict is Transient
        self._shelf.error = StoreUnavailableError(words)

    def hang(self) -> asyncio.Event:
        self._shelf.hanging = asyncio.Event()
        return self._shelf.hanging

    def taken(self) -> Sequence[UUID]:
        return list(self._shelf.messages)


@asynccontextmanager
async def smtp_rig(timeout_s: float) -> AsyncIterator[Rig]:
    async with open_smtp() as server:
        yield SmtpRig(server, smtp_adapter(server.port, timeout_s))


@asynccontextmanager
async def ses_rig(timeout_s: float) -> AsyncIterator[Rig]:
    async with open_ses() as server:
        yield SesRig(server, ses_adapter(server.port, timeout_s))


@asynccontextmanager
async def sendgrid_rig(timeout_s: float) -> AsyncIterator[Rig]:
    async with open_sendgrid() as provider:
        yield SendGridRig(provider, sendgrid_adapter(provider.port, timeout_s), a_message())


@asynccontextmanager
async def twilio_rig(timeout_s: float) -> AsyncIterator[Rig]:
    async with open_twilio() as provider:
        adapter = twilio_adapter(provider.port, timeout_s)
        yield TwilioRig(provider, adapter, a_message(Channel.SMS))


@asynccontextmanager
async def in_app_rig(timeout_s: float) -> AsyncIterator[Rig]:
    shelf = Shelf()
    yield ShelfRig(shelf, InAppAdapter(cast("Inbox", shelf), timeout_s=timeout_s))


@asynccontextmanager
async def sandbox_rig(timeout_s: float) -> AsyncIterator[Rig]:
    shelf = Shelf()
    yield ShelfRig(shelf, SandboxAdapter(cast("Captures", shelf), timeout_s=timeout_s))


@asynccontextmanager
async def sandboxed_in_app_rig(timeout_s: float) -> AsyncIterator[Rig]:
    shelf = Shelf()
    inner = InAppAdapter(cast("Inbox", shelf), timeout_s=timeout_s)
    adapter = SandboxAdapter(cast("Captures", Shelf()), then=inner, timeout_s=timeout_s)
    yield ShelfRig(shelf, adapter)


OpenRig: TypeAlias = Callable[[float], AbstractAsyncContextManager[Rig]]

MAKE_REMOTE: dict[str, MakeAdapter] = {
    "smtp": smtp_adapter,
    "ses": ses_adapter,
    "sendgrid": sendgrid_adapter,
    "twilio": twilio_adapter,
}
REMOTE: dict[str, OpenRig] = {
    "smtp": smtp_rig,
    "ses": ses_rig,
    "sendgrid": sendgrid_rig,
    "twilio": twilio_rig,
}
LOCAL: dict[str, OpenRig] = {
    "in_app": in_app_rig,
    "sandbox": sandbox_rig,
    "sandbox-then-in_app": sandboxed_in_app_rig,
}
