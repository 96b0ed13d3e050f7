"""SMTP, as a provider."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from notifier.channels.email.smtp.adapter import SmtpAdapter
from notifier.channels.email.smtp.config import SmtpConfig
from notifier.channels.provider import Parts, Provider
from notifier.delivery.ports import ChannelAdapter
from notifier.errors import SettingsError
from notifier.notification.model import Channel
from notifier.settings.groups import ProviderSettings
from notifier.settings.reading import Host, Seconds


class SmtpSettings(ProviderSettings):
    """The SMTP provider."""

    host: Host = Field("localhost", description="Host of the mail server.")
    port: int = Field(
        587,
        ge=1,
        le=65_535,
        description="Port of the mail server; usually 587 with `starttls`, 465 with `tls`.",
    )
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="`starttls`: refuse a server that offers none; `tls`: from the start; `none`: "
        "in the clear, without login.",
    )
    username: str | None = Field(
        None, description="User to log in as; not with `none`. Without it, no login."
    )
    password: SecretStr | None = Field(None, description="Password of that user.")
    ca_path: Path | None = Field(
        None, description="File of certificates (PEM) to trust instead of the system's."
    )
    helo_name: str | None = Field(
        None,
        description="Name that a mail server is greeted with: this host's, with its domain, as the "
        "DNS knows it. Without it, what the host calls itself if that has a domain, else "
        "`[127.0.0.1]`.",
    )
    timeout_s: Seconds = Field(
        30,
        description="Seconds for one mail: waiting for a connection, opening one if need be, up to "
        "the last reply.",
    )
    max_connections: int | None = Field(
        None,
        ge=1,
        le=1_000,
        description="Connections of one process at once, at most; as many as "
        "NOTIFIER_EMAIL__CONSUMERS if unset. A server that bears fewer is not asked for more: see "
        "[Connections to a mail server](operations.md#connections-to-a-mail-server).",
    )


def _make(_channel: Channel, smtp: SmtpSettings, parts: Parts) -> ChannelAdapter:
    if (smtp.username is None) != (smtp.password is None):
        raise SettingsError(
            "NOTIFIER_SMTP__USERNAME and NOTIFIER_SMTP__PASSWORD: set both or neither"
        )
    if smtp.username and smtp.security == "none":
        raise SettingsError("NOTIFIER_SMTP__SECURITY: none allows no login; use starttls or tls")
    return SmtpAdapter(
        SmtpConfig(
            host=smtp.host,
            port=smtp.port,
            sender=parts.settings.email.sender,
            username=smtp.username,
            password=smtp.password.get_secret_value() if smtp.password else None,
            security=smtp.security,
            ca_file=str(smtp.ca_path) if smtp.ca_path else None,
            helo_name=smtp.helo_name,
            timeout_s=smtp.timeout_s,
            max_connections=smtp.max_connections or parts.settings.email.consumers,
        ),
        parts.clock,
    )


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
