"""Signing in elsewhere: who somebody is by OpenID Connect, and what they may here for that.

A `Journey` is what a browser keeps while it is away at the provider; it is signed.
"""

import hashlib
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from notifier.access.operators import MAX_LOGIN_CHARS, Operator, OperatorStore, Role, is_login
from notifier.access.signing import Signer

JOURNEY_S = 600
"""How long somebody may take at the provider."""
EVERYBODY = "*"
_RANDOM_BYTES = 32
_HASH_CHARS = 6
_MOST_FIRST = (Role.ADMIN, Role.OPERATOR, Role.AUTHOR, Role.VIEWER)


class IdentityError(Exception):
    """It could not be found out who somebody is; says why, to people, without naming them."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, as their provider says."""

    subject: str
    """The provider, and who they are there, for good."""
    name: str
    """What they are called there; may change, and may be anything."""
    groups: Collection[str]
    """What roles go by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """Somebody on their way to the provider and back."""

    state: str
    nonce: str
    verifier: str = field(repr=False)
    """Of the challenge that the code is bound to (PKCE, RFC 7636)."""
    wanted: str
    """Where they wanted to go."""
    ends_s: int

    @classmethod
    def begun(cls, wanted: str, now: datetime) -> "Journey":
        """Begin one."""
        state, nonce, verifier = (secrets.token_urlsafe(_RANDOM_BYTES) for _ in range(3))
        ends_at = now + timedelta(seconds=JOURNEY_S)
        return cls(
            state=state,
            nonce=nonce,
            verifier=verifier,
            wanted=wanted,
            ends_s=int(ends_at.timestamp()),
        )

    @property
    def challenge(self) -> str:
        """What the provider is told of the verifier (S256)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return urlsafe_b64encode(digest).rstrip(b"=").decode()

    def is_over(self, now: datetime) -> bool:
        """Whether they took too long."""
        return now.timestamp() >= self.ends_s


class Journeys:
    """Writes journeys into cookies, and reads those that it wrote."""

    def __init__(self, pepper: bytes) -> None:
        self._signer = Signer(pepper, b"notifier journeys to sign in elsewhere, version 1")

    def cookie(self, journey: Journey) -> str:
        """Return what a browser is to keep of it."""
        return self._signer.signed(asdict(journey))

    def journey(self, cookie: str, state: str, now: datetime) -> Journey | None:
        """Return the one that somebody comes back from; None if it is none, or over."""
        claims = self._signer.claims(cookie)
        journey = Journey(**claims) if isinstance(claims, dict) else None
        if journey is None or journey.is_over(now):
            return None
        return journey if secrets.compare_digest(journey.state, state) else None


class IdentityProvider(Protocol):
    """Says who somebody is. Each call raises `IdentityError`."""

    name: str
    """As people read it."""

    async def way_there(self, journey: Journey, back: str) -> str:
        """Return the URL to send somebody to, who is then sent `back`."""

    async def identity(self, journey: Journey, code: str, back: str) -> Identity:
        """Return who came `back` with this code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomers:
    """Makes operators of those whom a provider knows."""

    operators: OperatorStore
    roles: Mapping[str, Role]
    """By group; `*` is everybody."""
    service: str
    sees_every_service: bool

    def role(self, identity: Identity) -> Role | None:
        """Return the role of somebody, the one that may most; None: they have none."""
        theirs = {self.roles[each] for each in (*identity.groups, EVERYBODY) if each in self.roles}
        return next((role for role in _MOST_FIRST if role in theirs), None)

    async def operator(self, identity: Identity, now: datetime) -> Operator | None:
        """Return who they are here, or would be: nothing is written. None: they have no role."""
        role = self.role(identity)
        if role is None:
            return None
        known = await self.operators.of_subject(identity.subject)
        if known is not None:
            return replace(known, role=role)
        return Operator(
            login=await self._free_login(identity),
            role=role,
            service=self.service,
            sees_every_service=self.sees_every_service,
            subject=identity.subject,
            created_at=now,
        )

    async def keep(self, operator: Operator) -> bool:
        """Write what changed; False if another got this login meanwhile."""
        known = await self.operators.of_subject(operator.subject or "")
        if known is None:
            return await self.operators.add(operator)
        if known.role is operator.role:
            return True
        return await self.operators.assign(
            known.login,
            operator.role,
            known.service,
            sees_every_service=known.sees_every_service,
        )

    async def _free_login(self, identity: Identity) -> str:
        login = login_of(identity.name)
        if login and await self.operators.find(login) is None:
            return login
        told_apart = hashlib.sha256(identity.subject.encode()).hexdigest()[:_HASH_CHARS]
        return f"{login[: MAX_LOGIN_CHARS - _HASH_CHARS - 1] or 'somebody'}-{told_apart}"


def login_of(name: str) -> str:
    """Return a login that is like a name, or an address; empty if none is."""
    local = name.partition("@")[0].lower()
    login = re.sub(r"[^a-z0-9._-]+", "-", local).strip("._-")[:MAX_LOGIN_CHARS]
    return login if is_login(login) else ""
