"""Operators: the people who sign in to the console, each with a role.

A role is what somebody is here for: which scopes they have, as a key has them, and whether they may
see what notifications say, which no scope of a key tells.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from notifier.access.keys import SCOPES
from notifier.value import value

MAX_LOGIN_CHARS = 64
_LOGIN = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{MAX_LOGIN_CHARS - 1}}}", re.ASCII)


class Role(StrEnum):
    """What an operator is here for."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    AUTHOR = "author"
    ADMIN = "admin"


@value
class Grant:
    """What a role allows."""

    scopes: frozenset[str]
    sees_content: bool
    words: str
    """As people read it."""


GRANTS: Mapping[Role, Grant] = {
    Role.VIEWER: Grant(
        scopes=frozenset({"read"}),
        sees_content=False,
        words="sees what becomes of notifications, and never what they say",
    ),
    Role.OPERATOR: Grant(
        scopes=frozenset({"read", "send", "recipients", "broadcasts", "schedules", "events"}),
        sees_content=True,
        words="also what they say; cancels, replays, forwards, suppresses, looks after people, "
        "broadcasts and schedules",
    ),
    Role.AUTHOR: Grant(
        scopes=frozenset({"read", "templates", "rules"}),
        sees_content=False,
        words="as a viewer; also writes and publishes templates, categories and rules",
    ),
    Role.ADMIN: Grant(
        scopes=frozenset(SCOPES),
        sees_content=True,
        words="everything, for every service; also keys, operators and the audit log",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Somebody who may sign in."""

    login: str
    """As it stands in the audit log; see `is_login`."""
    role: Role
    service: str
    """Whose notifications they see, and what they make belongs to."""
    sees_every_service: bool = False
    """Of an admin always."""
    password: str | None = field(default=None, repr=False)
    """Its hash; None: there is none yet, or they sign in elsewhere."""
    subject: str | None = None
    """Who they are where they sign in by OpenID Connect: the issuer, and its `sub`."""
    created_at: datetime
    password_set_at: datetime | None = None
    disabled_at: datetime | None = None

    @property
    def grant(self) -> Grant:
        """What they may."""
        return GRANTS[self.role]

    @property
    def sees(self) -> str | None:
        """The service whose things they see; None: every service's."""
        is_bound = self.role is not Role.ADMIN and not self.sees_every_service
        return self.service if is_bound else None


def is_login(text: str) -> bool:
    """Whether somebody may be called that: small letters and digits, and . _ - within."""
    return _LOGIN.fullmatch(text) is not None


class OperatorStore(Protocol):
    """Operators. What is said of one who is not there is not written, and answered with False."""

    async def add(self, operator: Operator) -> bool:
        """Add one; False if somebody is called that already. It is made now, by the database."""

    async def find(self, login: str) -> Operator | None:
        """The one of this login."""

    async def of_subject(self, subject: str) -> Operator | None:
        """The one who signs in as this elsewhere."""

    async def list(self) -> Sequence[Operator]:
        """All, by their logins."""

    async def is_any(self) -> bool:
        """Whether there is one at all."""

    async def assign(
        self, login: str, role: Role, service: str, *, sees_every_service: bool
    ) -> bool:
        """Give one another role, or another service; holds from their next request on."""

    async def set_password(self, login: str, kept: str, *, keeps: str | None = None) -> bool:
        """Set one, and end their sessions but that of the id `keeps`."""

    async def rehash(self, login: str, kept: str) -> bool:
        """Keep the same password otherwise."""

    async def disable(self, login: str) -> bool:
        """Let one in no longer, and end their sessions. Idempotent."""

    async def enable(self, login: str) -> bool:
        """Let one in again. Idempotent."""

    async def remove(self, login: str) -> bool:
        """Remove one, and their sessions. What they did stays in the audit log."""
