"""As many mails as wanted, by as many slots as wanted, through the adapter that workers use."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from notifier.channels.email.smtp.adapter import SmtpAdapter
from notifier.channels.email.smtp.config import SmtpConfig
from notifier.notification.outcomes import Outcome, Sent
from tests.clock import SystemClock
from tests.servers.mail_servers import DOMAIN, MailServer
from tests.servers.messages import a_message
from tests.servers.processes import LOOPBACK


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it: the outcomes of each process's calls, and how long all took."""

    outcomes: Sequence[Sequence[Outcome]]
    took_s: float

    @property
    def others(self) -> Sequence[Outcome]:
        """Outcomes of calls that sent nothing."""
        every = (outcome for outcomes in self.outcomes for outcome in outcomes)
        return [outcome for outcome in every if not isinstance(outcome, Sent)]


async def send(server: MailServer, *, mails: int, slots: int, processes: int = 1) -> Load:
    """Send each mail once, by `processes` adapters with `slots` at work each."""
    numbers = iter(range(mails))
    adapters = [SmtpAdapter(_config(server, slots), SystemClock()) for _ in range(processes)]
    outcomes: list[list[Outcome]] = [[] for _ in adapters]

    async def slot(adapter: SmtpAdapter, told: list[Outcome]) -> None:
        for number in numbers:
            message = a_message(recipient=f"to-{number}@{DOMAIN}", message_id=UUID(int=number))
            told.append(await adapter.send(message))

    began_s = time.monotonic()
    every = zip(adapters, outcomes, strict=True)
    await asyncio.gather(*(slot(*one) for one in every for _ in range(slots)))
    took_s = time.monotonic() - began_s
    await asyncio.gather(*(adapter.close() for adapter in adapters))
    return Load(outcomes, took_s)


def _config(server: MailServer, slots: int) -> SmtpConfig:
    return SmtpConfig(
        host=LOOPBACK,
        port=server.port,
        sender="Shop <no-reply@shop.example>",
        security="none",
        max_connections=slots,
    )
