"""Throttling of passwords: who guesses has to wait, and nobody can lock another out.

Counted is by network, and by login from browsers in which that operator never signed in; a browser
that did has a count of its own ("device cookies", OWASP). So whoever guesses somebody's password
uses up what strangers have, and they themselves still get in.
"""

import secrets
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from notifier.access.signing import Signer
from notifier.value import value

WINDOW_S = 900
"""Counts begin anew after so long."""
_DEVICE_BYTES = 12


class Count(StrEnum):
    """What is counted by."""

    NETWORK = "network"
    LOGIN = "login"
    DEVICE = "device"


MOST: Mapping[Count, int] = {Count.NETWORK: 60, Count.LOGIN: 10, Count.DEVICE: 10}
"""So many wrong ones within a window."""


@value
class Attempt:
    """Somebody who presents a password."""

    login: str
    network: str
    device: str | None
    """Which browser it is, if this operator signed in with it before."""

    @property
    def counted(self) -> Mapping[Count, str]:
        """What it is counted by."""
        if self.device is None:
            return {Count.NETWORK: self.network, Count.LOGIN: self.login}
        return {Count.DEVICE: self.device}


class Devices:
    """Tells browsers that an operator signed in with by a cookie, which is signed."""

    def __init__(self, pepper: bytes) -> None:
        self._signer = Signer(pepper, b"notifier devices of the console, version 1")

    def cookie(self, login: str, device: str | None = None) -> str:
        """Return what a browser is to keep; of one that is not known yet, with a new name."""
        return self._signer.signed([login, device or secrets.token_urlsafe(_DEVICE_BYTES)])

    def device(self, cookie: str, login: str) -> str | None:
        """Return which browser it is, if it was given to one in which `login` signed in."""
        match self._signer.claims(cookie):
            case [str(whose), str(device)] if whose == login:
                return device
        return None


class FailureStore(Protocol):
    """Counts of wrong passwords, each in a window that begins with the first."""

    async def count(self, names: Sequence[str]) -> Sequence[int]:
        """Count one more under each name; returns how many there are now, in their order."""

    async def counts(self, names: Sequence[str]) -> Sequence[int]:
        """How many there are, in their order."""

    async def forgive(self, names: Sequence[str]) -> None:
        """Count one less under each."""

    async def purge(self) -> int:
        """Forget counts of windows that have ended; returns how many."""


class Throttle:
    """Counts attempts before their passwords are looked at, so that no two slip through at once."""

    def __init__(self, failures: FailureStore, pepper: bytes) -> None:
        self._failures = failures
        self._names = Signer(pepper, b"notifier sign-ins that failed, version 1")

    async def is_open(self, attempt: Attempt) -> bool:
        """Whether another attempt is let in; nothing is written, however often somebody asks."""
        counts = await self._failures.counts(self._named(attempt))
        return all(count < MOST[by] for by, count in zip(attempt.counted, counts, strict=True))

    async def admits(self, attempt: Attempt) -> bool:
        """Count one more; whether its password may be looked at."""
        counts = await self._failures.count(self._named(attempt))
        return all(count <= MOST[by] for by, count in zip(attempt.counted, counts, strict=True))

    async def forgive(self, attempt: Attempt) -> None:
        """Count it no longer: it was right."""
        await self._failures.forgive(self._named(attempt))

    def _named(self, attempt: Attempt) -> Sequence[str]:
        # What somebody takes for a login may be a password in the wrong field.
        return [self._names.signature(f"{by} {name}") for by, name in attempt.counted.items()]
