"""SMTP, as a provider."""

from notifier.channels._extras import extra
from notifier.channels.email.smtp.adapter import SmtpAdapter
from notifier.channels.email.smtp.oauth.settings import PRESETS, SmtpSettings, Way, oauth_way
from notifier.channels.email.smtp.oauth.tokens import Tokens
from notifier.channels.email.smtp.settings import smtp_config
from notifier.channels.provider import Parts, Provider
from notifier.clock import Clock
from notifier.delivery.ports import ChannelAdapter
from notifier.notification.model import Channel


def _make(_channel: Channel, smtp: SmtpSettings, parts: Parts) -> ChannelAdapter:
    preset = PRESETS[smtp.preset]
    way = oauth_way(smtp)
    config = smtp_config(
        smtp,
        parts.settings.email,
        provider=SMTP.name,
        host=smtp.host or preset.host,
        helo_name=smtp.helo_name,
        has_token=way is not None,
    )
    return SmtpAdapter(config, parts.clock, _tokens(smtp, way, parts.clock) if way else None)


def _tokens(smtp: SmtpSettings, way: Way, clock: Clock) -> Tokens:
    with extra("oauth", "logging in with tokens"):
        from notifier.channels.email.smtp.oauth.making import make_tokens  # noqa: PLC0415 - an extra
    return make_tokens(smtp, way, clock, SMTP.name)


SMTP = Provider(
    name="smtp",
    channels=(Channel.EMAIL,),
    settings=SmtpSettings,
    make=_make,
    variables={
        "sender:": "NOTIFIER_EMAIL__SENDER:",
        "smtp ca_file:": "NOTIFIER_SMTP__CA_PATH:",
        "smtp helo_name:": "NOTIFIER_SMTP__HELO_NAME:",
    },
)
