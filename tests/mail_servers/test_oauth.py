"""A real Postfix that has a real Dovecot look at access tokens, and where those come from."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from notifier.delivery.ports import ChannelAdapter
from notifier.notification.outcomes import Outcome, Sent, Systemic
from tests.servers.certificates import make_certificates
from tests.servers.dovecot import private_dovecot
from tests.servers.mail_servers import DOMAIN, MailServer, private_postfix
from tests.servers.messages import ManualClock, a_message
from tests.servers.needed import needed
from tests.servers.processes import LOOPBACK
from tests.servers.token_endpoint import REFRESH_TOKEN, TokenEndpoint, open_token_endpoint
from tests.smtp_adapters import BY_CONSENT, smtp_adapter


@dataclass(frozen=True, slots=True)
class Rig:
    """A mail server that takes mails from who shows a token of the endpoint."""

    server: MailServer
    endpoint: TokenEndpoint
    authority: Path
    clock: ManualClock

    @asynccontextmanager
    async def adapter(self, way: Mapping[str, str]) -> AsyncIterator[ChannelAdapter]:
        reach = {
            "HOST": "localhost",
            "PORT": str(self.server.port),
            "CA_PATH": str(self.authority),
            "OAUTH_TOKEN_URL": self.endpoint.url,
        }
        adapter = smtp_adapter(self.clock, {**reach, **way})
        try:
            yield adapter
        finally:
            await adapter.close()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    certificates = make_certificates(tmp_path)
    async with open_token_endpoint() as endpoint:
        with needed(), private_dovecot(endpoint.lookup_url) as port:
            settings = {
                # Loopback is not to be trusted more than the world.
                "mynetworks": "192.0.2.0/24",
                "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
                "smtpd_sasl_auth_enable": "yes",
                "smtpd_sasl_type": "dovecot",
                "smtpd_sasl_path": f"inet:{LOOPBACK}:{port}",
                "smtpd_tls_security_level": "encrypt",
                "smtpd_tls_auth_only": "yes",
                "smtpd_tls_cert_file": str(certificates.certificate),
                "smtpd_tls_key_file": str(certificates.key),
            }
            with private_postfix(settings=settings) as server:
                yield Rig(server, endpoint, certificates.authority, ManualClock())


async def sent(adapter: ChannelAdapter, number: int) -> Outcome:
    mail = a_message(recipient=f"to-{number}@{DOMAIN}", message_id=UUID(int=number))
    return await adapter.send(mail)


@pytest.mark.parametrize("way", ["refresh token", "service account"])
@pytest.mark.parametrize("chars", [40, 3_000])
async def test_mails_go_out_with_a_token_short_or_long(rig: Rig, way: str, chars: int) -> None:
    rig.endpoint.token_chars = chars
    account = {"OAUTH_SERVICE_ACCOUNT": rig.endpoint.key_file()}

    async with rig.adapter(account if way == "service account" else BY_CONSENT) as adapter:
        assert isinstance(await sent(adapter, 1), Sent)

    assert len(rig.server.delivered(timeout_s=30)) == 1
    assert set(rig.endpoint.looked_up) == set(rig.endpoint.issued)


async def test_a_token_that_ended_is_renewed_and_the_mail_arrives_once(rig: Rig) -> None:
    async with rig.adapter(BY_CONSENT) as adapter:
        assert isinstance(await sent(adapter, 1), Sent)
        rig.clock.advance(31)  # its connection is not used again
        rig.endpoint.good.clear()
        assert isinstance(await sent(adapter, 2), Sent)

    message_ids = rig.server.delivered(timeout_s=30)
    assert len(message_ids) == len(set(message_ids)) == 2
    assert len(rig.endpoint.issued) == 2


async def test_a_token_of_another_mailbox_is_refused_and_says_so(rig: Rig) -> None:
    rig.endpoint.mailbox = "another@shop.example"

    async with rig.adapter(BY_CONSENT) as adapter:
        outcome = await sent(adapter, 1)

    assert isinstance(outcome, Systemic)
    assert outcome.code == "535 5.7.8"
    assert "NOTIFIER_SMTP__USERNAME" in outcome.message
    assert rig.server.delivered(timeout_s=30) == []


async def test_with_its_consent_withdrawn_nothing_goes_out_until_it_is_given_again(
    rig: Rig,
) -> None:
    async with rig.adapter(BY_CONSENT) as adapter:
        assert isinstance(await sent(adapter, 1), Sent)
        rig.clock.advance(31)
        rig.endpoint.good.clear()
        rig.endpoint.refresh_tokens.clear()
        refused = await sent(adapter, 2)
        rig.endpoint.refresh_tokens.add(REFRESH_TOKEN)
        rig.clock.advance(30)
        again = await sent(adapter, 2)

    assert isinstance(refused, Systemic)
    assert refused.code == "oauth_invalid_grant"
    assert "set NOTIFIER_SMTP__OAUTH_REFRESH_TOKEN" in refused.message
    assert isinstance(again, Sent)
    assert len(rig.server.delivered(timeout_s=30)) == 2
