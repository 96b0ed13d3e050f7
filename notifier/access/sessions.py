"""Sessions at the console: a cookie names the API key that somebody signed in with, and no more.

It is kept nowhere here. It ends when it is not used for an hour, after a working day, and with
its key.
"""

import hmac
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from notifier.access.signing import Signer

IDLE_S = 3_600
"""After so long without a request a session has ended."""
LONGEST_S = 12 * 3_600
"""After so long somebody has to sign in again."""
_RENEWED_AFTER_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who signed in when, by the id of their API key, and until when that holds."""

    key_id: str
    began_at: datetime
    ends_at: datetime

    @classmethod
    def begun(cls, key_id: str, now: datetime) -> "Session":
        """Begin one."""
        return cls(key_id=key_id, began_at=now, ends_at=now + timedelta(seconds=IDLE_S))

    def has_ended(self, now: datetime) -> bool:
        """Whether it holds no longer."""
        return now >= self.ends_at

    def renewed(self, now: datetime) -> "Session | None":
        """Return it as of a request at `now`; None while it is hardly older than its cookie."""
        last = self.began_at + timedelta(seconds=LONGEST_S)
        ends_at = min(last, now + timedelta(seconds=IDLE_S))
        if ends_at - self.ends_at < timedelta(seconds=_RENEWED_AFTER_S):
            return None
        return replace(self, ends_at=ends_at)


class Sessions:
    """Writes sessions into cookies, and reads those that it wrote."""

    def __init__(self, pepper: bytes) -> None:
        self._cookies = Signer(pepper, b"notifier sessions of the console, version 1")
        self._forms = Signer(pepper, b"notifier forms of the console, version 1")

    def cookie(self, session: Session) -> str:
        """Return what a browser is to keep of it."""
        times = (int(each.timestamp()) for each in (session.began_at, session.ends_at))
        return self._cookies.signed((session.key_id, *times))

    def session(self, cookie: str) -> Session | None:
        """Return whose cookie it is, even if it has ended; None if it was not written here."""
        claims = self._cookies.claims(cookie)
        if claims is None:
            return None
        key_id, began_s, ends_s = claims
        return Session(
            key_id=key_id,
            began_at=datetime.fromtimestamp(began_s, UTC),
            ends_at=datetime.fromtimestamp(ends_s, UTC),
        )

    def form_token(self, session: Session) -> str:
        """Return what forms of this session hold, and nobody else can know."""
        return self._forms.signature(f"{session.key_id} {int(session.began_at.timestamp())}")

    def is_form_token(self, session: Session, token: str) -> bool:
        """Whether a form is of this session."""
        return hmac.compare_digest(token.encode(), self.form_token(session).encode())
