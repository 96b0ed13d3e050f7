"""Making API keys: whoever asks is shown one once, and only its digest is kept."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta

from notifier.access.keys import KeyStore, PresentedKey, mint
from notifier.clock import Clock

MAX_LIFETIME_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Issuer:
    """Makes API keys, whose digests are under a pepper."""

    keys: KeyStore
    clock: Clock
    pepper: bytes = field(repr=False)

    async def issue(
        self, service: str, scopes: Collection[str], lifetime: timedelta | None
    ) -> PresentedKey:
        """Return a new key of a service; a lifetime of None: until it is revoked."""
        key = mint()
        await self.keys.add(
            id=key.id,
            service=service,
            scopes=scopes,
            digest=key.digest(self.pepper),
            expires_at=self.clock.now() + lifetime if lifetime else None,
        )
        return key
