"""The overview as it goes on: a stream of what it shows, for as long as somebody looks on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial

from sse_starlette import ServerSentEvent
from starlette.responses import Response

from notifier.api.console.overview.looking import Onlooker
from notifier.api.console.overview.pages import SECTION, viewed
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.kit.problems import UNAVAILABLE, ProblemError
from notifier.api.kit.rooms import Room
from notifier.api.kit.streaming import Stream, is_set
from notifier.clock import Clock

EVERY_S = 2.0
_RECONNECT_MS = 2_000
PATH = f"{SECTION.path}/stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewStream:
    """Sends what the overview shows every two seconds; so many streams at once."""

    onlooker: Onlooker
    places: Room
    """By whoever is signed in."""
    clock: Clock
    lifetime_s: float
    """Streams end after this long; browsers open them anew."""
    keep_alive_s: float

    def pages(self) -> Sequence[ConsolePage]:
        """Declare it."""
        return (ConsolePage(path=PATH, scope=SECTION.scope, serve=self.follow),)

    async def follow(self, visit: Visit) -> Response:
        """Begin a stream, which lasts as long as its reader's session, at most."""
        who = visit.caller.login or visit.caller.key_id
        if not self.places.take(who):
            raise ProblemError(
                UNAVAILABLE,
                "Too many pages are followed, in all or by you.",
                headers={"Retry-After": "30"},
            )
        stopped = asyncio.Event()
        return Stream(
            self._events(visit, stopped),
            place=partial(self.places.give_back, who),
            stopped=stopped,
            keep_alive_s=self.keep_alive_s,
        )

    async def _events(self, visit: Visit, stopped: asyncio.Event) -> AsyncIterator[ServerSentEvent]:
        end_s = self.clock.monotonic_s() + self.lifetime_s
        is_of_all = visit.caller.sees is None
        while self.clock.monotonic_s() < end_s and await visit.is_still_here():
            sight = await self.onlooker.look(visit.caller.sees)
            html = visit.rendered("overview_now.html", viewed(sight, is_of_all=is_of_all))
            yield ServerSentEvent(data=html, retry=_RECONNECT_MS)
            if await is_set(stopped, EVERY_S):
                return
