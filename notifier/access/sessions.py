"""Sessions at the console: who signed in, from where, and until when that holds.

One ends when it is not used for an hour, after a working day, with its API key or with what its
operator may, and when somebody ends it. A browser keeps 256 random bits of it, and the database an
HMAC of them.
"""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from notifier.access.operators import Operator
from notifier.access.signing import Signer

IDLE_S = 3_600
"""After so long without a request a session has ended."""
LONGEST_S = 12 * 3_600
"""After so long somebody has to sign in again."""
_RENEWED_AFTER_S = 300
_COOKIE_BYTES = 32
_COOKIE_CHARS = 43
_MAX_AGENT_CHARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who signed in: with an API key, or as an operator."""

    id: str
    """Names it, and opens nothing."""
    key_id: str = ""
    login: str = ""
    began_at: datetime
    ends_at: datetime
    source: str
    """The network address that it began from."""
    agent: str
    """What the browser says it is."""

    @classmethod
    def begun(
        cls, id: str, now: datetime, *, key_id: str = "", login: str = "", source: str, agent: str
    ) -> "Session":
        """Begin one."""
        return cls(
            id=id,
            key_id=key_id,
            login=login,
            began_at=now,
            ends_at=now + timedelta(seconds=IDLE_S),
            source=source,
            agent=agent[:_MAX_AGENT_CHARS],
        )

    @property
    def used_at(self) -> datetime:
        """When it was last used, to within a few minutes; of one that is about to end, later."""
        return self.ends_at - timedelta(seconds=IDLE_S)

    def has_ended(self, now: datetime) -> bool:
        """Whether it holds no longer."""
        return now >= self.ends_at

    def renewed(self, now: datetime) -> "Session | None":
        """Return it as of a request at `now`; None while it was written hardly before."""
        last = self.began_at + timedelta(seconds=LONGEST_S)
        ends_at = min(last, now + timedelta(seconds=IDLE_S))
        if ends_at - self.ends_at < timedelta(seconds=_RENEWED_AFTER_S):
            return None
        return replace(self, ends_at=ends_at)


class SessionSecrets:
    """Makes what browsers keep of sessions, and what their forms hold."""

    def __init__(self, pepper: bytes) -> None:
        self._cookies = Signer(pepper, b"notifier sessions of the console, version 2")
        self._forms = Signer(pepper, b"notifier forms of the console, version 2")

    def mint(self) -> str:
        """Make the cookie of a new session."""
        return secrets.token_urlsafe(_COOKIE_BYTES)

    def id_of(self, cookie: str) -> str | None:
        """Return the id of the session that a cookie is of, if it is of any; None: it cannot be."""
        return self._cookies.signature(cookie) if len(cookie) == _COOKIE_CHARS else None

    def form_token(self, id: str) -> str:
        """Return what forms of this session hold, and nobody else can know."""
        return self._forms.signature(id)

    def is_form_token(self, id: str, token: str) -> bool:
        """Whether a form is of this session."""
        return hmac.compare_digest(token.encode(), self.form_token(id).encode())


class SessionStore(Protocol):
    """Sessions. Those that have ended are forgotten in time."""

    async def begin(self, session: Session) -> None:
        """Keep a new one."""

    async def find(self, id: str) -> tuple[Session, Operator | None] | None:
        """The session of this id, with its operator as they are now."""

    async def renew(self, session: Session) -> None:
        """Keep when it ends."""

    async def end(self, id: str) -> bool:
        """End one; False if there is none."""

    async def end_all(self, *, login: str = "", key_id: str = "", keeps: str | None = None) -> int:
        """End all of an operator, or of a key, but one; returns how many."""

    async def list(self, *, login: str = "", key_id: str = "") -> Sequence[Session]:
        """Those of an operator, or of a key, that have not ended, the newest first."""

    async def purge(self) -> int:
        """Forget those that have ended; returns how many."""
