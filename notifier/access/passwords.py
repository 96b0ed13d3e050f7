"""Passwords: what may be one, and how one is kept.

Kept is a hash by argon2id with the parameters that RFC 9106 (section 4) recommends where memory is
scarce: 64 MiB, three passes, some 0.1 s of a core.
What may be one follows NIST SP 800-63B (3.1.1): how long it is, and no rule about its letters.
"""

import asyncio
import secrets
from typing import Final
from unicodedata import normalize

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

MIN_CHARS: Final = 12
MAX_CHARS: Final = 256
_MIN_DIFFERENT = 6
_AT_ONCE = 2


def flaw_of(password: str, login: str) -> str | None:
    """Return why it may not be the password of `login`; None if it may."""
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        return f"expected {MIN_CHARS} to {MAX_CHARS} characters, such as four words of your own"
    if login in password.lower() or len(set(password)) < _MIN_DIFFERENT:
        return "this would be guessed early: leave your login out, and repeat less"
    return None


class Passwords:
    """Hashes passwords and compares them, beside the event loop and few at once."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._nobodys: str | None = None

    async def hashed(self, password: str) -> str:
        """Return what is kept of it."""
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, _normal(password))

    async def matches(self, password: str, kept: str | None) -> bool:
        """Whether `kept` was made of it; where nothing is kept, saying so takes as long."""
        if self._nobodys is None:
            self._nobodys = await self.hashed(secrets.token_urlsafe())
        async with self._turns:
            is_right = await asyncio.to_thread(self._compare, kept or self._nobodys, password)
        return is_right and kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Whether it was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    def _compare(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, _normal(password))
        except (VerificationError, InvalidHashError):
            return False


def _normal(password: str) -> str:
    """Return it as it is hashed: keyboards differ in how they compose a letter."""
    return normalize("NFKC", password)
