"""How to reach an SMTP server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from notifier.settings.environment import PREFIX


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpConfig:
    """How to reach an SMTP server and as whom to send.

    `sender` is `Name <name@domain>` or an address. `security` is `starttls` (required, never
    only tried), `tls` from the first byte, or `none`, which allows no login. `ca_file` holds
    the certificates to trust instead of the system's. One `send` takes at most `timeout_s`; a
    kept connection that does not answer for `reuse_timeout_s` is given up for a fresh one. A
    server that turns us away for now while we have no connection is asked for `full_patience_s`.
    `headers` go into every mail. `provider` is whose server it is.
    """

    host: str
    sender: str
    port: int = 587
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: str | None = None
    helo_name: str | None = None
    timeout_s: float = 30
    max_connections: int = 10
    max_mails_per_connection: int = 100
    max_idle_s: float = 30
    reuse_timeout_s: float = 5
    full_patience_s: float = 5
    headers: Mapping[str, str] = field(default_factory=dict)
    provider: str = "smtp"

    def variable(self, name: str) -> str:
        """Return the variable that sets `name`, for who is to change it."""
        return f"{PREFIX}{self.provider.upper()}__{name}"
