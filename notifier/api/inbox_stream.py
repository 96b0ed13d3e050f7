"""Live inboxes: one query for all open streams says which of them have news."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from notifier.api.kit.rooms import ConcurrencyLimit, Room
from notifier.api.kit.streaming import is_set
from notifier.audience.inbox import Inbox, InboxHead, InboxItem
from notifier.clock import Clock
from notifier.errors import StoreUnavailableError
from notifier.trouble import Trouble

Address: TypeAlias = tuple[str, str]
"""Service and recipient."""

_PAGE = 10
_RETRY_S = 5
_CHECK_S = 2
_MAX_HELD = 16 * 1024 * 1024
# Of all streams that catch up; each would read as fast as it can.
_READS, _READS_OF_SERVICE = 4, 2
_MOST_WAITING = 10_000


@dataclass(slots=True)
class _Watched:
    streams: int = 0
    head: InboxHead = field(default_factory=InboxHead)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class InboxFeed:
    """Follows inboxes for the streams of this process.

    While streams are open it asks once in `poll_s` for the newest seq of all their inboxes; a
    stream reads from its inbox only when that has moved. Without streams it asks nothing.
    """

    def __init__(self, inbox: Inbox, clock: Clock, *, poll_s: float) -> None:
        self._inbox = inbox
        self._clock = clock
        self._poll_s = poll_s
        self._watched: dict[Address, _Watched] = {}
        self._poller: asyncio.Task[None] | None = None
        self._is_stopped = False
        self._trouble = Trouble("inbox.poll_failed", "inbox.poll_resumed", clock.monotonic_s)
        # What readers have not taken yet: who reads slowly does not fill the memory.
        self._held = Room(_MAX_HELD, _MAX_HELD // 2)
        self._reading = asyncio.Semaphore(_READS)
        self._turns = ConcurrencyLimit(_READS_OF_SERVICE, _MOST_WAITING, None)

    @property
    def open_streams(self) -> int:
        """How many streams are followed."""
        return sum(each.streams for each in self._watched.values())

    async def head(self, address: Address) -> InboxHead:
        """Return how one inbox stands."""
        return await self._inbox.head(*address)

    async def follow(
        self,
        address: Address,
        after: int,
        *,
        known: int,
        lifetime_s: float,
        is_welcome: Callable[[], Awaitable[bool]],
    ) -> AsyncGenerator[InboxItem | InboxHead, None]:
        """Yield what comes into an inbox after the seq `after`, each once and in order.

        Once items that were there have changed since the version `known`, it yields how the inbox
        stands, and so on.

        Ends after `lifetime_s`, or within seconds once its reader `is_welcome` no longer.
        """
        end_s = self._clock.monotonic_s() + lifetime_s
        most = _PAGE
        is_behind = True
        with self._watch(address) as watched:
            news = watched.news
            while not self._is_stopped and (left_s := end_s - self._clock.monotonic_s()) > 0:
                if not await is_welcome():
                    return
                items: list[InboxItem] = []
                if watched.head.version > known:
                    known = watched.head.version
                    yield watched.head
                if is_behind:
                    # Taken before the query: what arrives during it sets this very event.
                    news = watched.news
                    items = await self._since(address, after, most)
                size = sum(map(_size, items))
                if not items:
                    is_behind = await is_set(news, min(left_s, _CHECK_S))
                elif not self._held.take(address[0], size):
                    most = 1
                    await asyncio.sleep(self._poll_s)
                else:
                    try:
                        for item in items:
                            yield item
                            after = item.seq
                    finally:
                        self._held.give_back(address[0], size)
                    most = _PAGE

    def stop(self) -> None:
        """Let all streams end after the item that they are at."""
        self._is_stopped = True
        for watched in self._watched.values():
            watched.news.set()

    async def close(self) -> None:
        """End the poller."""
        if self._poller:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)

    @contextmanager
    def _watch(self, address: Address) -> Iterator[_Watched]:
        watched = self._watched.setdefault(address, _Watched())
        watched.streams += 1
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            yield watched
        finally:
            watched.streams -= 1
            if not watched.streams:
                self._watched.pop(address, None)

    async def _since(self, address: Address, after: int, most: int) -> list[InboxItem]:
        while True:
            try:
                async with self._turns.of(address[0]), self._reading:
                    return list(await self._inbox.since(*address, after, limit=most))
            except StoreUnavailableError:
                await asyncio.sleep(_RETRY_S)

    async def _poll(self) -> None:
        while self._watched:
            try:
                self._announce(await self._inbox.heads(list(self._watched)))
                self._trouble.ended()
            except StoreUnavailableError:
                self._trouble.met(streams=self.open_streams)
            await asyncio.sleep(self._poll_s)

    def _announce(self, heads: Mapping[Address, InboxHead]) -> None:
        for address, head in heads.items():
            watched = self._watched.get(address)
            if watched and _is_news(head, watched.head):
                watched.head = head
                watched.news.set()
                watched.news = asyncio.Event()


def _is_news(head: InboxHead, known: InboxHead) -> bool:
    return (head.seq, head.version) != (known.seq, known.version)


def _size(item: InboxItem) -> int:
    return len(item.text) + len(item.html or "")
