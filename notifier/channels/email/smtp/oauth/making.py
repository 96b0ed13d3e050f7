"""Tokens, as the settings have them; needs the libraries of the extra `oauth`."""

import json
import ssl
from collections.abc import Mapping
from random import SystemRandom
from typing import assert_never

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr

from notifier.channels._http import HttpPoster
from notifier.channels.email.smtp.oauth.endpoint import TokenEndpoint
from notifier.channels.email.smtp.oauth.grants import (
    ClientCredentials,
    Grant,
    RefreshToken,
    ServiceAccount,
)
from notifier.channels.email.smtp.oauth.settings import PRESETS, SmtpSettings, Way
from notifier.channels.email.smtp.oauth.tokens import Tokens
from notifier.clock import Clock
from notifier.errors import SettingsError
from notifier.settings.environment import PREFIX

# What is left of a mail's time is for the mail server.
_SHARE_OF_TIME = 1 / 4
_LONGEST_S = 10.0
_MIN_BITS = 2048


def make_tokens(smtp: SmtpSettings, way: Way, clock: Clock, provider: str) -> Tokens:
    """Return tokens for the mailbox; connects to nothing.

    Raises:
        SettingsError: the service account's key or the certificates cannot be used.
    """
    url, grant = _grant(smtp, way)
    poster = HttpPoster(
        timeout_s=min(smtp.timeout_s * _SHARE_OF_TIME, _LONGEST_S),
        max_connections=1,
        tls=_tls(smtp),
    )
    endpoint = TokenEndpoint(url, grant, poster, clock, provider)
    return Tokens(endpoint, clock, SystemRandom().random, provider)


def _grant(smtp: SmtpSettings, way: Way) -> tuple[str, Grant]:
    preset = PRESETS[smtp.preset]
    url = smtp.oauth_token_url or (preset.token_url or "").format(tenant=smtp.oauth_tenant)
    scope = smtp.oauth_scope or preset.scope or ""
    match way:
        case Way.REFRESH_TOKEN:
            return url, RefreshToken(
                client_id=smtp.oauth_client_id or "",
                client_secret=_secret(smtp.oauth_client_secret) or None,
                refresh_token=_secret(smtp.oauth_refresh_token),
                scope=smtp.oauth_scope or preset.consented_scope,
            )
        case Way.CLIENT_CREDENTIALS:
            return url, ClientCredentials(
                client_id=smtp.oauth_client_id or "",
                client_secret=_secret(smtp.oauth_client_secret),
                scope=scope,
            )
        case Way.SERVICE_ACCOUNT:
            account = _service_account(smtp, scope or PRESETS["google"].scope or "", url)
            return account.audience, account
        case _:
            assert_never(way)


def _service_account(smtp: SmtpSettings, scope: str, url: str) -> ServiceAccount:
    told = _key_file(_secret(smtp.oauth_service_account))
    try:
        key = load_pem_private_key(told["private_key"].encode(), password=None)
    except (ValueError, TypeError):
        raise _no_key("its private_key cannot be read") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < _MIN_BITS:
        raise _no_key("its private_key is no RSA key of 2048 bits or more")
    return ServiceAccount(
        email=told["client_email"],
        key=key,
        key_id=told.get("private_key_id"),
        mailbox=smtp.username or "",
        scope=scope,
        audience=url or PRESETS["google"].token_url or "",
    )


def _key_file(text: str) -> Mapping[str, str]:
    """The fields of the file that Google hands out; where it says to ask is not followed."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        raise _no_key("expected the content of the key's JSON file") from None
    needed = ("client_email", "private_key")
    if not isinstance(told, dict) or not all(isinstance(told.get(each), str) for each in needed):
        raise _no_key(f"expected a service account's key, with {' and '.join(needed)}")
    return {name: value for name, value in told.items() if isinstance(value, str)}


def _no_key(problem: str) -> SettingsError:
    return SettingsError(f"{PREFIX}SMTP__OAUTH_SERVICE_ACCOUNT: {problem}")


def _tls(smtp: SmtpSettings) -> ssl.SSLContext | None:
    if smtp.oauth_ca_path is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(smtp.oauth_ca_path))
    except OSError as error:
        problem = f"no certificates in {smtp.oauth_ca_path}"
        raise SettingsError(f"{PREFIX}SMTP__OAUTH_CA_PATH: {problem}") from error


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""
