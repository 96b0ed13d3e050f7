"""A provider refuses our key, and takes it again: nothing fails, everything is sent."""

from notifier.channels.email.sendgrid.adapter import SendGridAdapter, SendGridConfig
from notifier.notification.model import Channel, Status
from notifier.providers.breaker import BreakerSettings
from tests.clock import SystemClock
from tests.faults.workers import SLOTS, Ways, open_site, relaying, working
from tests.servers.postgres import Postgres
from tests.servers.providers import open_sendgrid

COUNT = 60
QUICK_BREAKER = BreakerSettings(open_min_s=0.3, open_max_s=0.3, fresh_s=0.1)
PROBES = 3


async def test_a_revoked_key_fails_nothing_and_everything_is_sent_once_it_is_restored(
    postgres: Postgres, amqp_url: str
) -> None:
    async with open_sendgrid("SG.revoked") as sendgrid, open_site(postgres, amqp_url) as site:
        adapter = SendGridAdapter(
            SendGridConfig(
                api_key="SG.key",
                sender="a@example.com",
                base_url=sendgrid.base_url,
                max_connections=SLOTS,
            ),
            SystemClock(),
        )
        sent = await site.send(COUNT)
        async with (
            relaying(site),
            working(site, {Channel.EMAIL: [adapter]}, Ways(breakers=QUICK_BREAKER)),
        ):
            await site.logged("provider.probe_failed", PROBES)
            revoked = await site.states()
            # On a slow machine it is probed further meanwhile.
            asked = sendgrid.requests
            probes = len(site.lines("provider.probe_failed"))
            sendgrid.api_key = "SG.key"
            states = await site.settled(COUNT)
        (state,) = await site.stores.providers.states()
        found = [await site.stores.get(envelope.id) for envelope in sent]

    assert set(revoked) <= {Status.PENDING, Status.PROCESSING}
    assert asked <= SLOTS + probes + 2
    assert site.lines("provider.closed")
    assert (state.name, state.opened_at) == ("sendgrid", None)
    assert states == {Status.SENT: COUNT}
    assert {each.attempts for each in found} == {1}
    assert len(sendgrid.arrivals) == COUNT
