"""How to reach a mail server, as its variables have it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from notifier.channels.email.smtp.config import SmtpConfig
from notifier.errors import SettingsError
from notifier.settings.environment import PREFIX
from notifier.settings.groups import EmailSettings, ProviderSettings
from notifier.settings.reading import Seconds


class MailServerSettings(ProviderSettings):
    """What every provider has that takes mails by SMTP."""

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


def smtp_config(
    server: MailServerSettings,
    email: EmailSettings,
    *,
    provider: str,
    host: str,
    helo_name: str | None = None,
    headers: Mapping[str, str] | None = None,
    has_token: bool = False,
) -> SmtpConfig:
    """Return what an adapter needs.

    Raises:
        SettingsError: user, password and security do not go together.
    """
    group = f"{PREFIX}{provider.upper()}__"
    if not has_token and (server.username is None) != (server.password is None):
        raise SettingsError(f"{group}USERNAME and {group}PASSWORD: set both or neither")
    if server.username and server.security == "none":
        raise SettingsError(f"{group}SECURITY: none allows no login; use starttls or tls")
    return SmtpConfig(
        provider=provider,
        host=host,
        port=server.port,
        sender=email.sender,
        username=server.username,
        password=server.password.get_secret_value() if server.password else None,
        security=server.security,
        ca_file=str(server.ca_path) if server.ca_path else None,
        helo_name=helo_name,
        timeout_s=server.timeout_s,
        max_connections=server.max_connections or email.consumers,
        headers=headers or {},
    )
