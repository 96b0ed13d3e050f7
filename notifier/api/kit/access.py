"""Who asks: API keys, their scopes, and how often they may ask."""

import hashlib
import secrets
from contextlib import AbstractAsyncContextManager
from typing import NoReturn, TypeAlias

from starlette.requests import Request

from notifier.access.keys import ApiKey, KeyStore, PresentedKey, implied_scopes, parse
from notifier.access.operators import Operator
from notifier.access.subscribers import Subscriber, SubscriberTokens, is_token
from notifier.api.kit.config import ApiConfig
from notifier.api.kit.door import network_of
from notifier.api.kit.headers import header
from notifier.api.kit.problems import (
    FORBIDDEN,
    RATE_LIMITED,
    TOKEN_EXPIRED,
    UNAUTHENTICATED,
    ProblemError,
)
from notifier.api.kit.rooms import ConcurrencyLimit, Room, too_many_at_once
from notifier.api.kit.windows import FixedWindow
from notifier.clock import Clock
from notifier.errors import StoreUnavailableError
from notifier.kept import Kept
from notifier.value import value

HEADERS_KEY = "notifier.headers"
RawHeader: TypeAlias = tuple[bytes, bytes]

_MAX_CACHED_KEYS = 10_000
_CHALLENGE = 'Bearer realm="notifier"'


@value
class Caller:
    """The service on whose behalf a request is made."""

    service: str
    scopes: frozenset[str]
    key_id: str = ""
    login: str = ""
    """Of the operator who asks; empty: a key does."""
    recipient: str | None = None
    """Whose inbox alone it may open, in the normal form; None for each of the service's."""
    sees_every_service: bool = False
    sees_content: bool = True
    """Whether it may see what notifications say."""

    @property
    def sees(self) -> str | None:
        """The service whose notifications it may see; None for every service's."""
        return None if self.sees_every_service else self.service

    @property
    def actor(self) -> str:
        """Who asks, as the audit log names them."""
        return actor_of(self.login) if self.login else self.key_id

    def require(self, scope: str) -> None:
        """Let only somebody with this scope go on.

        Raises:
            ProblemError: 403.
        """
        if scope not in self.scopes:
            raise ProblemError(FORBIDDEN, f"It needs the scope {scope!r}.")

    def may_name(self, service: str | None) -> str:
        """Return `service`, or its own if that is None.

        Raises:
            ProblemError: 403, it names another's without the scope admin.
        """
        if service is not None and self.sees not in (None, service):
            raise ProblemError(FORBIDDEN, "Only the scope 'admin' may name another service.")
        return service or self.service

    def may_see(self, service: str | None) -> str | None:
        """Return the service whose things it wants to see; None for every service's.

        Raises as `may_name`.
        """
        return self.sees if service is None else self.may_name(service)

    def may_open(self, recipient: str) -> str:
        """Return the `recipient` whose inbox it wants to open.

        Raises:
            ProblemError: 403, a subscriber token is of another's.
        """
        if self.recipient not in (None, recipient):
            raise _of_another_place()
        return recipient


ANYBODY = Caller(service="", scopes=frozenset())


def actor_of(login: str) -> str:
    """Return what the audit log calls an operator; no key's id has a colon."""
    return f"operator:{login}"


def caller_with(key: ApiKey) -> Caller:
    """Return who asks with this key."""
    return Caller(
        service=key.service,
        scopes=implied_scopes(key.scopes),
        key_id=key.id,
        sees_every_service="admin" in key.scopes,
    )


def caller_of(operator: Operator) -> Caller:
    """Return who asks as this operator."""
    return Caller(
        service=operator.service,
        scopes=operator.grant.scopes,
        login=operator.login,
        sees_every_service=operator.sees is None,
        sees_content=operator.grant.sees_content,
    )


class KeyRing:
    """Verifies API keys, asking the store for each at most once in `ttl_s`.

    What was verified is kept under a keyed hash of the whole key: quick to find again, and no key
    stays in memory.
    """

    def __init__(self, keys: KeyStore, clock: Clock, *, pepper: bytes, ttl_s: float) -> None:
        self._keys = keys
        self._pepper = pepper
        self._hashed_with = secrets.token_bytes(32)
        self._known: Kept[bytes, ApiKey] = Kept(_MAX_CACHED_KEYS, clock, fresh_s=ttl_s)
        self._by_id: Kept[str, ApiKey] = Kept(_MAX_CACHED_KEYS, clock, fresh_s=ttl_s)

    def recall(self, key: PresentedKey) -> ApiKey | None:
        """Return the record of `key` if it was verified less than `ttl_s` ago."""
        return self._known.get(self._name(key))

    async def verify(self, key: PresentedKey) -> ApiKey | None:
        """Return the record of `key`; None if it is unknown, revoked or expired."""
        if record := self.recall(key):
            return record
        record = await self._keys.find(key.id)
        if record is None or not key.matches(record.digest, self._pepper):
            return None
        if not record.is_usable:
            self._known.forget(self._name(key))
            return None
        self._known.keep(self._name(key), record)
        return record

    async def usable(self, id: str) -> ApiKey | None:
        """Return the key of this id; None if it is unknown, revoked or expired."""
        record = self._by_id.get(id)
        if record is None:
            record = await self._keys.find(id)
            if record is None:
                return None
            self._by_id.keep(id, record)
        return record if record.is_usable else None

    def _name(self, key: PresentedKey) -> bytes:
        return hashlib.blake2b(key.text.encode(), key=self._hashed_with).digest()


class Doorkeeper:
    """Lets a request in, or raises the problem that answers it."""

    def __init__(
        self, ring: KeyRing, tokens: SubscriberTokens, config: ApiConfig, clock: Clock
    ) -> None:
        self._ring = ring
        self._tokens = tokens
        self._clock = clock
        self._limit = config.requests_per_minute
        self._requests = FixedWindow(config.requests_per_minute, clock)
        self._of_subscribers = FixedWindow(config.subscriber_requests_per_minute, clock)
        self._failures = FixedWindow(config.failed_logins_per_minute, clock)
        most = config.max_concurrent_requests
        self._working = Room(most, max(1, most * 4 // 5))
        patience_s = config.read_patience_s
        self._reading = ConcurrencyLimit(config.reads_at_once, config.max_waiting_reads, patience_s)
        self._changing = ConcurrencyLimit(config.changes_at_once, most, patience_s)
        self._uploading = ConcurrencyLimit(
            config.uploads_at_once, config.max_waiting_reads, config.upload_patience_s
        )

    async def admit(self, request: Request, scope: str, *, takes_tokens: bool = False) -> Caller:
        """Return who asks, once the key, its rate and its scope were checked.

        Raises:
            ProblemError: 401, 403 or 429.
        """
        credentials = bearer(header(request.scope, b"authorization"))
        if is_token(credentials):
            return await self._admit_subscriber(request, credentials, takes_tokens=takes_tokens)
        record = await self.identify(request, credentials)
        caller = self._counted(request, record)
        caller.require(scope)
        return caller

    async def admit_key(self, request: Request, key_id: str) -> Caller | None:
        """Return who asks by a session of this key; None if the key does not hold any more.

        Raises:
            ProblemError: 429.
        """
        record = await self._ring.usable(key_id)
        return self._counted(request, record) if record else None

    def admit_operator(self, request: Request, operator: Operator) -> Caller:
        """Return who asks by a session of this operator.

        Raises:
            ProblemError: 429.
        """
        caller = caller_of(operator)
        self._count(request, self._requests, caller.actor, 1)
        return caller

    async def identify(self, request: Request, credentials: str) -> ApiKey:
        """Return the record of the key that somebody presents.

        Raises:
            ProblemError: 401, or 429 for whoever presented too many that are none.
        """
        key = parse(credentials)
        if key is None:
            # What is no key cannot be guessed with, and costs nothing: it counts for nobody.
            raise _unauthenticated()
        return await self._ring.verify(key) or self._refuse(request)

    async def still_admits(self, request: Request, scope: str) -> bool:
        """Whether a request that was let in a while ago would be let in now.

        Its key is looked up anew every few seconds; while the database is away, it stays.
        """
        credentials = bearer(header(request.scope, b"authorization"))
        try:
            if is_token(credentials):
                return await self._is_current(self._tokens.read(credentials))
            key = parse(credentials)
            record = await self._ring.verify(key) if key else None
        except StoreUnavailableError:
            return True
        return record is not None and scope in implied_scopes(record.scopes)

    def charge(self, request: Request, caller: Caller, items: int) -> None:
        """Count a request that holds so many `items` as so many requests.

        One that holds more than the whole limit needs the whole of a minute.

        Raises:
            ProblemError: 429, that much is not left; it is not counted.
        """
        more = min(items, self._limit) - 1
        left = self._requests.left(caller.actor)
        if more > left:
            raise _too_many(self._requests.ends_in_s())
        self._count(request, self._requests, caller.actor, more)

    def enter(self, caller: Caller) -> None:
        """Take a place for a request of the caller's service: one never has all of them.

        Raises:
            ProblemError: 429, it has too many.
        """
        if not self._working.take(caller.service):
            raise too_many_at_once()

    def leave(self, caller: Caller) -> None:
        """Give the place back."""
        self._working.give_back(caller.service)

    def reading(self, caller: Caller) -> AbstractAsyncContextManager[None]:
        """Wait for a turn at reading. Raises as `enter`."""
        return self._reading.of(caller.service)

    def changing(self, caller: Caller) -> AbstractAsyncContextManager[None]:
        """Wait for a turn at a change that has a transaction to itself. Raises as `enter`.

        Such changes may wait for one another in the database, and each holds a connection.
        """
        return self._changing.of(caller.service)

    def uploading(self, caller: Caller) -> AbstractAsyncContextManager[None]:
        """Wait for a turn at sending a file, which may take as long as its sender likes to.

        Raises as `enter`.
        """
        return self._uploading.of(caller.service)

    async def _admit_subscriber(
        self, request: Request, token: str, *, takes_tokens: bool
    ) -> Caller:
        subscriber = self._tokens.read(token)
        if subscriber is None:
            self._refuse(request, "This subscriber token was not made here, or under another key.")
        if self._has_expired(subscriber):
            raise _expired()
        if not await self._is_current(subscriber):
            self._refuse(request, "The API key that made this subscriber token does not hold.")
        name = f"{subscriber.service}\0{subscriber.recipient}"
        self._count(request, self._of_subscribers, name, 1)
        if not takes_tokens:
            raise _of_another_place()
        return Caller(
            service=subscriber.service,
            scopes=frozenset({"read"}),
            key_id=subscriber.key_id,
            recipient=subscriber.recipient,
        )

    def _has_expired(self, subscriber: Subscriber) -> bool:
        return subscriber.expires_at <= self._clock.now()

    async def _is_current(self, subscriber: Subscriber | None) -> bool:
        return (
            subscriber is not None
            and not self._has_expired(subscriber)
            and await self._ring.usable(subscriber.key_id) is not None
        )

    def _counted(self, request: Request, record: ApiKey) -> Caller:
        self._count(request, self._requests, record.id, 1)
        return caller_with(record)

    def _refuse(self, request: Request, why: str | None = None) -> NoReturn:
        """Answer for a wrong key; a good one is looked up and let in however many came before."""
        if self._failures.hit(network_of(request.scope)):
            raise _unauthenticated(why)
        raise _too_many(self._failures.ends_in_s())

    def _count(self, request: Request, window: FixedWindow, name: str, times: int) -> None:
        is_allowed, left, wait_s = window.count(name, times)
        headers: list[RawHeader] = [
            (b"ratelimit-policy", window.policy),
            (b"ratelimit", f'"default";r={left};t={wait_s}'.encode()),
        ]
        request.scope[HEADERS_KEY] = headers
        if not is_allowed:
            raise _too_many(wait_s)


def bearer(authorization: str) -> str:
    """Return what an `Authorization` header presents; empty if it is of another scheme."""
    scheme, _, credentials = authorization.partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else ""


def _too_many(wait_s: int) -> ProblemError:
    return ProblemError(
        RATE_LIMITED, f"Try again in {wait_s} s.", headers={"Retry-After": str(wait_s)}
    )


def _unauthenticated(why: str | None = None) -> ProblemError:
    expected = (
        "Send Authorization: Bearer <API key>, with a key that is neither revoked nor expired."
    )
    return ProblemError(UNAUTHENTICATED, why or expected, headers={"WWW-Authenticate": _CHALLENGE})


def _expired() -> ProblemError:
    return ProblemError(
        TOKEN_EXPIRED,
        "Ask the service of this page for a new one: POST /api/v1/inbox/tokens makes it.",
        headers={"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'},
    )


def _of_another_place() -> ProblemError:
    return ProblemError(FORBIDDEN, "A subscriber token opens the inbox it is of, and nothing else.")
