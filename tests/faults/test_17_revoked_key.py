"""A provider refuses our key, and takes it again: nothing fails, everything is sent."""

from pathlib import Path

from notifier.channels.email.sendgrid.adapter import SendGridAdapter, SendGridConfig
from notifier.notification.model import Channel, Status
from notifier.providers.breaker import BreakerSettings
from tests.clock import SystemClock
from tests.faults.workers import SLOTS, Ways, open_site, relaying, working
from tests.servers.certificates import make_certificates
from tests.servers.postgres import Postgres
from tests.servers.providers import open_sendgrid
from tests.servers.scripted_smtp import open_smtp
from tests.servers.token_endpoint import REFRESH_TOKEN, open_token_endpoint
from tests.smtp_adapters import BY_CONSENT, smtp_adapter

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


async def test_a_withdrawn_consent_fails_nothing_and_everything_is_sent_once_it_is_given_again(
    postgres: Postgres, amqp_url: str, tmp_path: Path
) -> None:
    certificates = make_certificates(tmp_path)
    async with (
        open_token_endpoint() as endpoint,
        open_smtp(certificates.server_context()) as server,
        open_site(postgres, amqp_url) as site,
    ):
        server.auth_methods, server.accepts_token = "XOAUTH2", endpoint.accepts
        endpoint.refresh_tokens.clear()
        reach = {
            "HOST": "localhost",
            "PORT": str(server.port),
            "CA_PATH": str(certificates.authority),
            "OAUTH_TOKEN_URL": endpoint.url,
        }
        adapter = smtp_adapter(SystemClock(), {**reach, **BY_CONSENT})
        sent = await site.send(COUNT)
        async with (
            relaying(site),
            working(site, {Channel.EMAIL: [adapter]}, Ways(breakers=QUICK_BREAKER)),
        ):
            await site.logged("provider.probe_failed", PROBES)
            withdrawn = await site.states()
            (state,) = await site.stores.providers.states()
            endpoint.refresh_tokens.add(REFRESH_TOKEN)
            states = await site.settled(COUNT)
        found = [await site.stores.get(envelope.id) for envelope in sent]

    assert set(withdrawn) <= {Status.PENDING, Status.PROCESSING}
    assert (state.name, state.reason) == ("smtp", "oauth_invalid_grant")
    assert states == {Status.SENT: COUNT}
    assert {each.attempts for each in found} == {1}
    assert len(server.mails) == COUNT
    told = str(site.lines("oauth.not_renewed")[0]["problem"])
    assert "set NOTIFIER_SMTP__OAUTH_REFRESH_TOKEN" in told
    assert not [line for line in site.logs if REFRESH_TOKEN in str(line)]
