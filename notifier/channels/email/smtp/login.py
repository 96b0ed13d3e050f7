"""Logging in to a mail server, with a password or with a token."""

import base64
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import aiosmtplib

from notifier.channels.email.smtp.config import SmtpConfig
from notifier.channels.email.smtp.diagnosis import MisconfiguredError

REFUSED = 535
"""These credentials are not accepted (RFC 4954 section 6)."""
_TRY_ANOTHER_METHOD = (504, 534)
_GO_ON = 334
_DONE = 235
# RFC 5321 section 4.5.3.1.4, with the line's end.
_LONGEST_COMMAND = 512

Methods = Mapping[str, Callable[[], Awaitable[object]]]


async def log_in(client: aiosmtplib.SMTP, config: SmtpConfig, token: str | None) -> None:
    """Log in by the first of our methods that the server offers and knows.

    Raises:
        MisconfiguredError: it offers none.
        aiosmtplib.SMTPAuthenticationError: it refuses.
    """
    methods = _with_password(client, config) if token is None else _with(client, config, token)
    offered = [name for name in methods if name in client.server_auth_methods]
    for name in offered:
        try:
            await methods[name]()
        except aiosmtplib.SMTPAuthenticationError as error:
            if error.code not in _TRY_ANOTHER_METHOD or name == offered[-1]:
                raise
        else:
            return
    raise _not_offered(methods, config, token)


def _with_password(client: aiosmtplib.SMTP, config: SmtpConfig) -> Methods:
    login = (config.username or "", config.password or "")
    return {
        "plain": partial(client.auth_plain, *login),
        "login": partial(client.auth_login, *login),
        "cram-md5": partial(client.auth_crammd5, *login),
    }


def _with(client: aiosmtplib.SMTP, config: SmtpConfig, token: str) -> Methods:
    user = config.username or ""
    return {
        "xoauth2": partial(_bearer, client, b"XOAUTH2", _xoauth2(user, token), b""),
        "oauthbearer": partial(
            _bearer, client, b"OAUTHBEARER", _oauthbearer(user, token, config), b"\x01"
        ),
    }


def _xoauth2(user: str, token: str) -> bytes:
    """https://developers.google.com/workspace/gmail/imap/xoauth2-protocol."""
    return f"user={user}\x01auth=Bearer {token}\x01\x01".encode()


def _oauthbearer(user: str, token: str, config: SmtpConfig) -> bytes:
    """RFC 7628 section 3.1, with the header of RFC 5801 section 4."""
    who = user.replace("=", "=3D").replace(",", "=2C")
    where = f"host={config.host}\x01port={config.port}"
    return f"n,a={who},\x01{where}\x01auth=Bearer {token}\x01\x01".encode()


async def _bearer(
    client: aiosmtplib.SMTP, method: bytes, response: bytes, acknowledgement: bytes
) -> None:
    """Show a token. A refusal comes as a challenge, and is told once that is acknowledged."""
    encoded = base64.b64encode(response)
    command = b"AUTH %b %b" % (method, encoded)
    # RFC 4954 section 4: the response goes on a line of its own then, and may be long. Gmail
    # refuses the command at 1,000 characters, Dovecot at 512, Postfix at 2,048.
    if len(command) + 2 <= _LONGEST_COMMAND:
        reply = await client.execute_command(command)
    else:
        reply = await client.execute_command(b"AUTH", method)
        if reply.code == _GO_ON:
            reply = await client.execute_command(encoded)
    if reply.code == _GO_ON:
        reply = await client.execute_command(base64.b64encode(acknowledgement))
    if reply.code != _DONE:
        raise aiosmtplib.SMTPAuthenticationError(reply.code, reply.message)


def _not_offered(methods: Methods, config: SmtpConfig, token: str | None) -> MisconfiguredError:
    known = ", ".join(name.upper() for name in methods)
    instead = (
        f"no {config.variable('USERNAME')}"
        if token is None
        else f"{config.variable('PASSWORD')} instead of a token"
    )
    return MisconfiguredError(
        "auth_missing",
        f"the server offers no login that we know ({known}): set {config.variable('PORT')} to the "
        f"one for submission (587 or 465), or {instead}",
    )
