"""A provider that does not answer: its calls are bounded, and nobody else notices."""

import asyncio
import time

import asyncpg

from notifier.channels.email.sendgrid.adapter import SendGridAdapter, SendGridConfig
from notifier.channels.sms.twilio.adapter import TwilioAdapter, TwilioConfig
from notifier.notification.model import Channel, Status
from tests.clock import SystemClock
from tests.faults.workers import SLOTS, open_site, relaying, working
from tests.servers.postgres import Postgres
from tests.servers.providers import Hold, open_sendgrid, open_twilio

TIMEOUT_S = 8
TEXTS = 20
PHONE = "+491701234567"
BUSY = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND state <> 'idle' AND pid <> $2"


async def connections_in_use(url: str) -> int:
    """How many sessions of this database run something, or are in a transaction."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        pid = connection.get_server_pid()
        return int(await connection.fetchval(BUSY, url.rpartition("/")[2], pid))
    finally:
        await connection.close()


async def test_a_provider_that_hangs_is_bounded_and_slows_no_other_channel(
    postgres: Postgres, amqp_url: str
) -> None:
    holds = [Hold() for _ in range(SLOTS)]
    async with (
        open_sendgrid() as sendgrid,
        open_twilio() as twilio,
        open_site(postgres, amqp_url) as site,
    ):
        sendgrid.script(*holds)
        mail = SendGridAdapter(
            SendGridConfig(
                api_key=sendgrid.api_key,
                sender="a@example.com",
                base_url=sendgrid.base_url,
                timeout_s=TIMEOUT_S,
                max_connections=SLOTS,
            ),
            SystemClock(),
        )
        text = TwilioAdapter(
            TwilioConfig(
                account_sid=twilio.account_sid,
                auth_token=twilio.auth_token,
                sender="+491700000000",
                base_url=twilio.base_url,
                timeout_s=TIMEOUT_S,
                max_connections=SLOTS,
            ),
            SystemClock(),
        )
        async with working(site, {Channel.EMAIL: [mail], Channel.SMS: [text]}):
            mails = await site.send(SLOTS)
            await asyncio.gather(*(hold.arrived.wait() for hold in holds))
            held_s = time.monotonic()
            texts = await site.send(TEXTS, channel=Channel.SMS, recipient=PHONE)
            states = await site.settled(TEXTS)
            took_s = time.monotonic() - held_s
            in_use = await connections_in_use(site.database_url)
            async with relaying(site):
                last = await site.settled(SLOTS + TEXTS)
        bounded_s = time.monotonic() - held_s
        account = await site.stores.queries.account(service=None)
        for hold in holds:
            hold.released.set()

    assert states == {Status.SENT: TEXTS, Status.PROCESSING: SLOTS}
    assert took_s < TIMEOUT_S
    assert in_use == 0
    assert last == {Status.SENT: len(mails) + len(texts)}
    assert account.outcome_unknown == SLOTS
    assert bounded_s < 3 * TIMEOUT_S
