"""SMTP, as a provider."""

from pydantic import Field

from notifier.channels.email.smtp.adapter import SmtpAdapter
from notifier.channels.email.smtp.settings import MailServerSettings, smtp_config
from notifier.channels.provider import Parts, Provider
from notifier.delivery.ports import ChannelAdapter
from notifier.notification.model import Channel
from notifier.settings.reading import Host


class SmtpSettings(MailServerSettings):
    """The SMTP provider."""

    host: Host = Field("localhost", description="Host of the mail server.")
    helo_name: str | None = Field(
        None,
        description="Name that a mail server is greeted with: this host's, with its domain, as the "
        "DNS knows it. Without it, what the host calls itself if that has a domain, else "
        "`[127.0.0.1]`.",
    )


def _make(_channel: Channel, smtp: SmtpSettings, parts: Parts) -> ChannelAdapter:
    config = smtp_config(
        smtp, parts.settings.email, provider="smtp", host=smtp.host, helo_name=smtp.helo_name
    )
    return SmtpAdapter(config, parts.clock)


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
