"""A provider that does not answer: its calls are bounded, and nobody else notices."""

import asyncio
from dataclasses import replace
from functools import partial

import asyncpg

from notifier.channels.email.sendgrid.adapter import SendGridAdapter, SendGridConfig
from notifier.channels.sms.twilio.adapter import TwilioAdapter, TwilioConfig
from notifier.notification.model import Channel, Status
from tests.clock import SystemClock
from tests.faults.workers import (
    LEASE,
    QUICK,
    SLOTS,
    Routes,
    Ways,
    open_site,
    relaying,
    until,
    working,
)
from tests.patience import AT_ALL_S
from tests.servers.postgres import Postgres
from tests.servers.providers import Hold, SendGrid, Twilio, open_sendgrid, open_twilio

TIMEOUT_S = 2
PATIENTLY = replace(QUICK, max_attempts=50)
"""On a machine that stands still calls time out that nobody holds."""
TEXTS = 20
PHONE = "+491701234567"
BUSY = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND state <> 'idle' AND pid <> $2"


async def none_is_in_use(url: str) -> bool:
    """Whether no session of this database runs anything, or is in a transaction."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        pid = connection.get_server_pid()
        return not await connection.fetchval(BUSY, url.rpartition("/")[2], pid)
    finally:
        await connection.close()


def mail_of(sendgrid: SendGrid, *, timeout_s: float) -> SendGridAdapter:
    config = SendGridConfig(
        api_key=sendgrid.api_key,
        sender="a@example.com",
        base_url=sendgrid.base_url,
        timeout_s=timeout_s,
        max_connections=SLOTS,
    )
    return SendGridAdapter(config, SystemClock())


def text_of(twilio: Twilio) -> TwilioAdapter:
    config = TwilioConfig(
        account_sid=twilio.account_sid,
        auth_token=twilio.auth_token,
        sender="+491700000000",
        base_url=twilio.base_url,
        max_connections=SLOTS,
    )
    return TwilioAdapter(config, SystemClock())


async def test_a_provider_that_hangs_slows_no_other_channel_and_holds_no_connection(
    postgres: Postgres, amqp_url: str
) -> None:
    holds = [Hold() for _ in range(SLOTS)]
    lease = replace(LEASE, duration_s=3 * AT_ALL_S, send_timeout_s=2 * AT_ALL_S)
    async with (
        open_sendgrid() as sendgrid,
        open_twilio() as twilio,
        open_site(postgres, amqp_url) as site,
    ):
        sendgrid.script(*holds)
        routes: Routes = {
            Channel.EMAIL: [mail_of(sendgrid, timeout_s=2 * AT_ALL_S)],
            Channel.SMS: [text_of(twilio)],
        }
        async with working(site, routes, Ways(lease=lease)):
            await site.send(SLOTS)
            await asyncio.gather(*(hold.arrived.wait() for hold in holds))
            await site.send(TEXTS, channel=Channel.SMS, recipient=PHONE)
            states = await site.settled(TEXTS)
            await until(partial(none_is_in_use, site.database_url))
            during = await site.states()
            for hold in holds:
                hold.released.set()
            last = await site.settled(SLOTS + TEXTS)

    assert states == during == {Status.SENT: TEXTS, Status.PROCESSING: SLOTS}
    assert last == {Status.SENT: SLOTS + TEXTS}


async def test_a_call_that_hangs_ends_and_is_made_again(postgres: Postgres, amqp_url: str) -> None:
    holds = [Hold() for _ in range(SLOTS)]
    async with open_sendgrid() as sendgrid, open_site(postgres, amqp_url) as site:
        sendgrid.script(*holds)
        mail = mail_of(sendgrid, timeout_s=TIMEOUT_S)
        async with relaying(site), working(site, {Channel.EMAIL: [mail]}, Ways(policy=PATIENTLY)):
            await site.send(SLOTS)
            states = await site.settled(SLOTS)
        account = await site.stores.queries.account(service=None)
        for hold in holds:
            hold.released.set()

    assert all(hold.arrived.is_set() for hold in holds)
    assert states == {Status.SENT: SLOTS}
    assert 0 < account.outcome_unknown <= SLOTS
