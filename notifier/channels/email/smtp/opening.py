"""A connection to an SMTP server on its way up: connect, encrypt, log in."""

import asyncio
import ssl
from typing import cast

import aiosmtplib

from notifier.channels.email.replies import Phase, parse_reply
from notifier.channels.email.smtp.config import SmtpConfig
from notifier.channels.email.smtp.diagnosis import (
    IMPLICIT_TLS_PORTS,
    MisconfiguredError,
    misconfiguration,
)
from notifier.channels.email.smtp.login import REFUSED, log_in
from notifier.channels.email.smtp.session import Offers, Progress, Session
from notifier.channels.email.smtp.wire import SmtpWire

_FOR_NOW = 4
_SHARE_OF_TIME = 1 / 2
_ODD_SILENCE_S = 3.0
_HUNG_UP = (
    aiosmtplib.SMTPServerDisconnected,
    ConnectionResetError,
    ConnectionAbortedError,
    ssl.SSLEOFError,
)


class OpeningError(Exception):
    """No connection: how far it came, and what was in the way."""

    def __init__(self, phase: Phase, cause: Exception) -> None:
        super().__init__()
        self.phase = phase
        self.cause = cause

    @property
    def is_for_now(self) -> bool:
        """Whether the server turned us away, and may take us later: no mail was looked at."""
        if isinstance(self.cause, aiosmtplib.SMTPResponseException):
            return self.cause.code // 100 == _FOR_NOW
        return self.phase is Phase.CONNECT and isinstance(self.cause.__cause__, _HUNG_UP)

    @property
    def is_full(self) -> bool:
        """Whether it did so at the door."""
        return self.is_for_now and self.phase in (Phase.CONNECT, Phase.EHLO)

    @property
    def is_refused_login(self) -> bool:
        """Whether it does not accept what we logged in with: a token may be renewed."""
        return (
            self.phase is Phase.AUTH
            and isinstance(self.cause, aiosmtplib.SMTPResponseException)
            and self.cause.code == REFUSED
        )

    @property
    def label(self) -> str:
        """What was in the way, in a word."""
        if isinstance(self.cause, aiosmtplib.SMTPResponseException):
            return parse_reply(self.cause.code, self.cause.message).label
        return type(self.cause.__cause__ or self.cause).__name__

    def __str__(self) -> str:
        return f"{self.phase}: {self.label}"


class Opening:
    """A connection on its way up: connect, encrypt, log in."""

    def __init__(
        self,
        config: SmtpConfig,
        tls: ssl.SSLContext | None,
        helo_name: str,
        token: str | None = None,
        *,
        has_worked: bool = False,
    ) -> None:
        self._config = config
        self._token = token
        self._has_worked = has_worked
        self._client = aiosmtplib.SMTP(
            hostname=config.host,
            port=config.port,
            local_hostname=helo_name,
            timeout=None,
            use_tls=config.security == "tls",
            start_tls=False,
            tls_context=tls,
        )
        self._transport: asyncio.BaseTransport | None = None

    async def run(self) -> Session:
        """Return a session that is ready for mails; one that fails is closed.

        Raises:
            OpeningError: it did not come about.
        """
        progress = Progress()
        try:
            # What is left of a mail's time is for the mail.
            async with asyncio.timeout(self._config.timeout_s * _SHARE_OF_TIME):
                await self._open(progress)
            return self._session()
        except Exception as error:
            self._abort()
            cause = await misconfiguration(
                error, progress.phase, self._config, has_worked=self._has_worked
            )
            raise OpeningError(progress.phase, cause or error) from error
        except BaseException:
            self._abort()
            raise

    async def _open(self, progress: Progress) -> None:
        progress.phase = Phase.CONNECT
        async with asyncio.timeout(self._silence_s):
            await self._client.connect()
        self._transport = self._client.transport
        await self._ehlo(progress)
        if self._config.security == "starttls":
            await self._start_tls(progress)
            await self._ehlo(progress)
        if self._config.username is not None:
            progress.phase = Phase.AUTH
            await log_in(self._client, self._config, self._token)

    @property
    def _silence_s(self) -> float | None:
        """How long no greeting is no wonder."""
        is_odd = self._config.port in IMPLICIT_TLS_PORTS and self._config.security != "tls"
        return _ODD_SILENCE_S if is_odd else None

    def _session(self) -> Session:
        # What aiosmtplib keeps of a connection is not needed for mails, and let go here.
        if self._client.transport is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        offers = Offers(
            size=self._client.supports_extension("size"),
            max_bytes=_number(self._client.esmtp_extensions.get("size", "")),
            smtputf8=self._client.supports_extension("smtputf8"),
            pipelining=self._client.supports_extension("pipelining"),
        )
        return Session(self._config, SmtpWire(self._client.transport), offers)

    def _abort(self) -> None:
        transport = self._client.transport or self._transport
        if transport is not None:
            # uvloop's transports are such, and do not say so.
            cast("asyncio.WriteTransport", transport).abort()
        self._client.close()

    async def _ehlo(self, progress: Progress) -> None:
        progress.phase = Phase.EHLO
        await self._client.ehlo()

    async def _start_tls(self, progress: Progress) -> None:
        if not self._client.supports_extension("starttls"):
            raise MisconfiguredError(
                "starttls_missing",
                f"the server does not offer STARTTLS: set {self._config.variable('PORT')} to the "
                f"one that does (usually 587), or {self._config.variable('SECURITY')} to "
                f"{'tls or none' if self._config.username is None else 'tls'}",
            )
        progress.phase = Phase.STARTTLS
        await self._client.starttls()
        self._transport = self._client.transport


def _number(text: str) -> int:
    """Read what a server says of itself; 0 for no number that could be one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0  # noqa: PLR2004 - 64 bits
