"""Sending slots: how many notifications of a channel one OS process hands over at once."""

from asyncio import Future, get_running_loop
from collections import deque

from notifier.notification.model import Lane


class SlotsClosedError(Exception):
    """Raised to those still waiting for a slot when a worker lets go, or shuts down."""


class Slots:
    """A number of slots that goes to the most urgent waiter first, in order of arrival.

    Bulk notifications use all slots when nothing else waits; a high one takes the next that
    becomes free.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: dict[Lane, deque[Future[None]]] = {lane: deque() for lane in Lane}
        self._closed = False

    async def take(self, lane: Lane) -> None:
        """Take a slot, to `give_back`; waits for one.

        Raises:
            SlotsClosedError: once closed.
        """
        if self._closed:
            raise SlotsClosedError
        if self._free:
            self._free -= 1
            return
        turn: Future[None] = get_running_loop().create_future()
        self._waiting[lane].append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.give_back()
            raise

    def give_back(self) -> None:
        """Hand a slot that was taken on to who waits for it most urgently."""
        for lane in (Lane.HIGH, Lane.NORMAL, Lane.BULK):
            waiting = self._waiting[lane]
            while waiting:
                turn = waiting.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._free += 1

    def close(self) -> None:
        """Turn away who waits and who comes; slots that are taken stay so."""
        self._closed = True
        for waiting in self._waiting.values():
            for turn in waiting:
                if not turn.done():
                    turn.set_exception(SlotsClosedError)
            waiting.clear()

    def open(self) -> None:
        """Let those who come wait and take slots again."""
        self._closed = False
