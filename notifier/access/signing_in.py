"""Signing in with a login and a password."""

from dataclasses import dataclass
from enum import StrEnum

from notifier.access.operators import Operator, OperatorStore
from notifier.access.passwords import MAX_CHARS, Passwords
from notifier.access.throttling import Attempt, Throttle


class Turned(StrEnum):
    """Why somebody was turned away."""

    WRONG = "wrong"
    """There is no such operator, or that is not their password, or they are let in no longer."""
    TOO_OFTEN = "too_often"
    """The password was not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordDesk:
    """Lets operators in by their passwords."""

    operators: OperatorStore
    passwords: Passwords
    throttle: Throttle

    async def admit(
        self, attempt: Attempt, operator: Operator | None, password: str
    ) -> Operator | Turned:
        """Return `operator`, of whom the attempt is, if that is their password."""
        if not await self.throttle.admits(attempt):
            return Turned.TOO_OFTEN
        kept = operator.password if operator and operator.disabled_at is None else None
        is_right = await self.passwords.matches(password[: MAX_CHARS + 1], kept)
        if not is_right or operator is None:
            return Turned.WRONG
        await self.throttle.forgive(attempt)
        await self._bring_up_to_date(operator, password)
        return operator

    async def _bring_up_to_date(self, operator: Operator, password: str) -> None:
        if operator.password and self.passwords.is_outdated(operator.password):
            await self.operators.rehash(operator.login, await self.passwords.hashed(password))
