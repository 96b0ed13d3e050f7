"""What a token endpoint is asked with: the ways to get an access token without a person."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol, Self

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from notifier.notification.model import JsonValue

_LIFETIME = timedelta(minutes=60)
# Google takes nothing from the future; a clock that is a little fast shall do no harm.
_CLOCK_MAY_BE_FAST_BY = timedelta(seconds=30)


class Grant(Protocol):
    """One way; a value."""

    @property
    def name(self) -> str:
        """What a refusal is about, for the table of refusals."""

    def form(self, now: datetime) -> Mapping[str, str]:
        """Return the fields to post."""

    def rotated(self, refresh_token: str) -> Self:
        """Return what to ask with from now on, where the endpoint sent a new refresh token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """Consent that a person gave once (RFC 6749 section 6); public clients have no secret."""

    name = "refresh_token"
    client_id: str
    client_secret: str | None = field(repr=False)
    refresh_token: str = field(repr=False)
    scope: str | None

    def form(self, _now: datetime) -> Mapping[str, str]:
        optional = {"client_secret": self.client_secret, "scope": self.scope}
        return {
            "grant_type": "refresh_token",
            "refresh_token": self.refresh_token,
            "client_id": self.client_id,
            **{name: value for name, value in optional.items() if value is not None},
        }

    def rotated(self, refresh_token: str) -> Self:
        return replace(self, refresh_token=refresh_token)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """An application that an administrator let send by itself (RFC 6749 section 4.4)."""

    name = "client_credentials"
    client_id: str
    client_secret: str = field(repr=False)
    scope: str

    def form(self, _now: datetime) -> Mapping[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "scope": self.scope,
        }

    def rotated(self, _refresh_token: str) -> Self:
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount:
    """A Google service account that acts as a user of the domain (RFC 7523, RS256).

    https://developers.google.com/identity/protocols/oauth2/service-account#httprest
    """

    name = "service_account"
    email: str
    key: RSAPrivateKey = field(repr=False)
    key_id: str | None
    mailbox: str
    scope: str
    audience: str

    def form(self, now: datetime) -> Mapping[str, str]:
        return {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": self._assertion(now - _CLOCK_MAY_BE_FAST_BY),
        }

    def rotated(self, _refresh_token: str) -> Self:
        return self

    def _assertion(self, issued: datetime) -> str:
        head: dict[str, JsonValue] = {"alg": "RS256", "typ": "JWT"}
        if self.key_id is not None:
            head["kid"] = self.key_id
        claims: dict[str, JsonValue] = {
            "iss": self.email,
            "sub": self.mailbox,
            "scope": self.scope,
            "aud": self.audience,
            "iat": int(issued.timestamp()),
            "exp": int((issued + _LIFETIME).timestamp()),
        }
        signed = f"{_part(head)}.{_part(claims)}"
        signature = self.key.sign(signed.encode(), PKCS1v15(), SHA256())
        return f"{signed}.{_url_safe(signature)}"


def _part(values: Mapping[str, JsonValue]) -> str:
    return _url_safe(json.dumps(values, separators=(",", ":")).encode())


def _url_safe(raw: bytes) -> str:
    """As RFC 7515 has it: without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
