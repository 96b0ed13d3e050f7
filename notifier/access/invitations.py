"""Invitations: links by which operators set their passwords, each once and within a day.

A link holds for as long as its operator's password stays what it was. Nothing of it is kept.
"""

from datetime import datetime, timedelta

from notifier.access.operators import Operator
from notifier.access.signing import Signer

HOLDS_S = 24 * 3_600


class Invitations:
    """Writes links, and reads those that it wrote."""

    def __init__(self, pepper: bytes) -> None:
        self._signer = Signer(pepper, b"notifier invitations of operators, version 1")

    def token(self, operator: Operator, now: datetime) -> str:
        """Return what a link for them ends with."""
        ends_at = now + timedelta(seconds=HOLDS_S)
        return self._signer.signed([operator.login, int(ends_at.timestamp()), self._of(operator)])

    def login(self, token: str) -> str | None:
        """Return whom a link says that it is for; None if it was not written here."""
        match self._signer.claims(token):
            case [str(login), int(), str()]:
                return login
        return None

    def admits(self, token: str, operator: Operator, now: datetime) -> bool:
        """Whether a link lets them set a password now."""
        match self._signer.claims(token):
            case [str(login), int(ends_s), str(of)]:
                is_theirs = login == operator.login and of == self._of(operator)
                return is_theirs and now.timestamp() < ends_s and operator.disabled_at is None
        return False

    def _of(self, operator: Operator) -> str:
        made, kept = operator.created_at.isoformat(), operator.password or ""
        return self._signer.signature(f"{operator.login} {made} {kept}")
