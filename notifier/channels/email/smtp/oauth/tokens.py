"""Access tokens, shared by all connections of a process and renewed before they end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import structlog

from notifier.clock import Clock
from notifier.notification.outcomes import Systemic, Transient

log = structlog.get_logger(__name__)

_AHEAD_S = 300.0
_SHARE_AHEAD = 1 / 4
_AGAIN_S = 30.0
_FAILURE_HOLDS_S = 2.0


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a mail server is shown, for so many seconds from when it was asked for."""

    value: str = field(repr=False)
    lifetime_s: float


NoToken: TypeAlias = Systemic | Transient


class NoTokenError(Exception):
    """There is none to log in with."""

    def __init__(self, reason: NoToken) -> None:
        super().__init__(reason.code)
        self.reason = reason


class Issuer(Protocol):
    """Where tokens come from."""

    async def issue(self) -> AccessToken | NoToken:
        """Return a new one, or why there is none; raises nothing."""

    async def close(self) -> None:
        """Give back connections."""


@dataclass(frozen=True, slots=True)
class _Held:
    value: str = field(repr=False)
    renew_at_s: float
    ends_at_s: float


@dataclass(frozen=True, slots=True)
class _Failure:
    reason: NoToken
    at_s: float


class Tokens:
    """Has a token that is good, as long as one is to be had; of one event loop.

    The next is asked for five minutes before the present one ends, or for a quarter of a short
    life, and up to half as much again earlier: processes that began together do not ask together.
    Nobody waits for it then, and if it is not to be had the present one stays.
    """

    def __init__(
        self, issuer: Issuer, clock: Clock, random: Callable[[], float], provider: str
    ) -> None:
        self._issuer = issuer
        self._clock = clock
        self._random = random
        self._provider = provider
        self._held: _Held | None = None
        self._failure: _Failure | None = None
        self._again_at_s = float("-inf")
        self._renewal: asyncio.Task[str | NoToken] | None = None

    async def get(self, *, instead_of: str | None = None) -> str | NoToken:
        """Return a token, another one than `instead_of`, which was refused; or why there is none.

        Who comes while one is being asked for, or within two seconds of a failure, hears the same.
        """
        now_s = self._clock.monotonic_s()
        held = self._held
        if held is not None and now_s < held.ends_at_s and held.value != instead_of:
            if now_s >= max(held.renew_at_s, self._again_at_s):
                _ = self._begin()  # nobody waits for it
            return held.value
        failure = self._failure
        if failure is not None and now_s - failure.at_s < _FAILURE_HOLDS_S:
            return failure.reason
        # Whoever waits for it may go away; others wait for the same.
        return await asyncio.shield(self._begin())

    async def close(self) -> None:
        """Ask for no more."""
        await self._issuer.close()
        if self._renewal is not None:
            await self._renewal

    def _begin(self) -> asyncio.Task[str | NoToken]:
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew())
        return self._renewal

    async def _renew(self) -> str | NoToken:
        began_s = self._clock.monotonic_s()
        try:
            answer = await self._issuer.issue()
        finally:
            self._renewal = None
        if isinstance(answer, AccessToken):
            return self._keep(answer, began_s)
        self._note(answer)
        return answer

    def _keep(self, token: AccessToken, began_s: float) -> str:
        ahead_s = min(_AHEAD_S, token.lifetime_s * _SHARE_AHEAD) * (1 + self._random() / 2)
        ends_at_s = began_s + token.lifetime_s
        self._held = _Held(token.value, ends_at_s - ahead_s, ends_at_s)
        self._failure = None
        return token.value

    def _note(self, reason: NoToken) -> None:
        now_s = self._clock.monotonic_s()
        self._failure = _Failure(reason, now_s)
        self._again_at_s = now_s + _AGAIN_S * (1 + self._random())
        left_s = self._held.ends_at_s - now_s if self._held else 0.0
        tell = log.error if isinstance(reason, Systemic) else log.warning
        tell(
            "oauth.not_renewed",
            provider=self._provider,
            reason=reason.code,
            problem=reason.message,
            good_for_s=round(max(left_s, 0.0)),
        )
