"""In-app notifications: into the recipient's inbox."""

import asyncio

import structlog

from notifier.audience.inbox import Inbox
from notifier.channels.provider import NoSettings, Parts, Provider
from notifier.delivery.ports import ChannelAdapter
from notifier.notification.model import Channel, Message
from notifier.notification.outcomes import Outcome, Sent, Transient

log = structlog.get_logger(__name__)


class InAppAdapter:
    """Delivers to inboxes; handing over the same notification again changes nothing."""

    provider = "in_app"

    def __init__(self, inbox: Inbox, *, timeout_s: float = 10) -> None:
        self._inbox = inbox
        self._timeout_s = timeout_s

    async def send(self, message: Message) -> Outcome:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._inbox.deliver(message)
        # The port promises a value; delivering again is safe, whatever went wrong.
        except Exception as error:  # noqa: BLE001
            name = type(error).__name__
            log.warning("in_app.failed", id=str(message.id), error=name)
            return Transient("store_unavailable", f"the inbox could not be written: {name}")
        return Sent(str(message.id))

    async def close(self) -> None:
        """Nothing to give back."""


def _make(_channel: Channel, _own: NoSettings, parts: Parts) -> ChannelAdapter:
    return InAppAdapter(parts.inbox)


IN_APP = Provider(name="in_app", channels=(Channel.IN_APP,), settings=NoSettings, make=_make)
