"""Who asks: API keys, their scopes, and how often they may ask."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from typing import TypeAlias

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter
from starlette.requests import Request

from notifier.api.config import ApiConfig
from notifier.api.problems import FORBIDDEN, RATE_LIMITED, UNAUTHENTICATED, ProblemError
from notifier.keys import PresentedKey, implied_scopes, parse
from notifier.ports import ApiKey, Clock, KeyStore

HEADERS_KEY = "notifier.headers"
Header: TypeAlias = tuple[str, str]

_MAX_CACHED_KEYS = 10_000
_MAX_TRACKED_ADDRESSES = 10_000
_CHALLENGE = 'Bearer realm="notifier"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The service on whose behalf a request is made."""

    service: str
    scopes: frozenset[str]

    @property
    def sees(self) -> str | None:
        """The service whose notifications it may see; None for every service's."""
        return None if "admin" in self.scopes else self.service


ANYBODY = Caller(service="", scopes=frozenset())


class KeyRing:
    """Verifies API keys, asking the store for each at most once in `ttl_s`."""

    def __init__(self, keys: KeyStore, clock: Clock, *, pepper: bytes, ttl_s: float) -> None:
        self._keys = keys
        self._clock = clock
        self._pepper = pepper
        self._ttl_s = ttl_s
        self._known: OrderedDict[str, tuple[ApiKey, float]] = OrderedDict()

    def was_good(self, key: PresentedKey) -> bool:
        """Whether `key` was verified before, however long ago."""
        entry = self._known.get(key.id)
        return entry is not None and key.matches(entry[0].digest, self._pepper)

    async def verify(self, key: PresentedKey) -> ApiKey | None:
        """Return the record of `key`; None if it is unknown, revoked or expired."""
        record = self._fresh(key.id) or await self._keys.find(key.id)
        if record is None or not key.matches(record.digest, self._pepper):
            return None
        if not record.is_usable:
            self._known.pop(key.id, None)
            return None
        self._keep(record)
        return record

    def _fresh(self, id: str) -> ApiKey | None:
        entry = self._known.get(id)
        if entry is None or self._clock.monotonic_s() >= entry[1]:
            return None
        return entry[0]

    def _keep(self, record: ApiKey) -> None:
        if self._fresh(record.id) is None:
            self._known[record.id] = (record, self._clock.monotonic_s() + self._ttl_s)
        self._known.move_to_end(record.id)
        while len(self._known) > _MAX_CACHED_KEYS:
            self._known.popitem(last=False)


class Gate:
    """Lets a request in, or raises the problem that answers it."""

    def __init__(self, ring: KeyRing, config: ApiConfig) -> None:
        self._ring = ring
        self._storage = MemoryStorage()
        self._limiter = FixedWindowRateLimiter(self._storage)
        self._rate = RateLimitItemPerMinute(config.requests_per_minute)
        self._failures = RateLimitItemPerMinute(config.failed_logins_per_minute)

    async def admit(self, request: Request, scope: str) -> Caller:
        """Return who asks, once the key, its rate and its scope were checked.

        Raises:
            ProblemError: 401, 403 or 429.
        """
        record = await self._identify(request)
        await self._count(request, record)
        scopes = implied_scopes(record.scopes)
        if scope not in scopes:
            raise ProblemError(FORBIDDEN, f"It needs the scope {scope!r}.")
        return Caller(service=record.service, scopes=scopes)

    async def _identify(self, request: Request) -> ApiKey:
        key = _presented(request)
        address = client_network(request.client.host if request.client else "unknown")
        if key is None or not self._ring.was_good(key):
            await self._brake(address)
        record = await self._ring.verify(key) if key else None
        if record is None:
            await self._note_failure(address)
            raise _unauthenticated()
        return record

    async def _brake(self, address: str) -> None:
        if not await self._limiter.test(self._failures, "failure", address):
            raise await self._too_many(self._failures, "failure", address)

    async def _note_failure(self, address: str) -> None:
        if len(self._storage.storage) > _MAX_TRACKED_ADDRESSES:
            await self._storage.reset()
        await self._limiter.hit(self._failures, "failure", address)

    async def _count(self, request: Request, record: ApiKey) -> None:
        is_allowed = await self._limiter.hit(self._rate, "key", record.id)
        reset_at, remaining = await self._limiter.get_window_stats(self._rate, "key", record.id)
        left, wait_s = (remaining if is_allowed else 0), _seconds_until(reset_at)
        headers: list[Header] = request.scope.setdefault(HEADERS_KEY, [])
        headers += [
            ("RateLimit-Policy", f'"default";q={self._rate.amount};w={self._rate.get_expiry()}'),
            ("RateLimit", f'"default";r={left};t={wait_s}'),
        ]
        if not is_allowed:
            raise await self._too_many(self._rate, "key", record.id)

    async def _too_many(self, item: RateLimitItem, *identifiers: str) -> ProblemError:
        reset_at, _ = await self._limiter.get_window_stats(item, *identifiers)
        wait_s = _seconds_until(reset_at)
        return ProblemError(
            RATE_LIMITED, f"Try again in {wait_s} s.", headers={"Retry-After": str(wait_s)}
        )


def _presented(request: Request) -> PresentedKey | None:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    return parse(credentials.strip()) if scheme.lower() == "bearer" else None


def _unauthenticated() -> ProblemError:
    return ProblemError(
        UNAUTHENTICATED,
        "Send Authorization: Bearer <API key>, with a key that is neither revoked nor expired.",
        headers={"WWW-Authenticate": _CHALLENGE},
    )


def client_network(host: str) -> str:
    """Return what stands for one client: its address, or its /64 where that is IPv6."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return host


def _seconds_until(reset_at: float) -> int:
    # The limiter keeps its windows by the wall clock, so this is read by it too.
    return max(1, ceil(reset_at - time.time()))  # noqa: TID251
