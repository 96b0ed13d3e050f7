"""Sharing round trips: concurrent callers of one operation go to the database together."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Generic, TypeAlias, TypeVar

from notifier.errors import StoreBusyError, StoreRefusedError, StoreUnavailableError
from notifier.store.kit import reasons
from notifier.store.kit.database import Database

Request = TypeVar("Request")
Answer = TypeVar("Answer")

MANY = 16

Run: TypeAlias = Callable[[Sequence[Request]], Awaitable[Sequence[Answer]]]


@dataclass(slots=True, eq=False)
class _Call(Generic[Request, Answer]):
    request: Request
    future: asyncio.Future[Answer]


class Batcher(Generic[Request, Answer]):
    """Runs requests in batches; while one runs, the next gathers.

    A lone request starts at once; one that comes right after a batch waits until that has been over
    for `gather_s`, since more come then. Once `MANY` gathered, none waits, and a second batch runs
    beside the first, so that one works while the other waits for the disk. `run` gets requests
    and returns their answers in the same order, or raises having changed nothing. A batch is as
    many requests as weigh `max_batch` together, and always at least one.

    Each caller gets its own answer and its own error: what a single row can be to blame for is
    run again row by row. A cancelled caller disturbs no other.
    """

    def __init__(
        self,
        run: Run[Request, Answer],
        *,
        max_batch: int,
        timeout_s: float,
        weigh: Callable[[Request], int] = lambda _request: 1,
        gather_s: float = 0,
    ) -> None:
        self._run = run
        self._max_batch = max_batch
        self._timeout_s = timeout_s
        self._weigh = weigh
        self._gather_s = gather_s
        self._ended_s = -inf
        self._waiting: deque[_Call[Request, Answer]] = deque()
        self._running: set[asyncio.Task[None]] = set()

    async def submit(self, request: Request, *, deadline: float | None = None) -> Answer:
        """Return this request's own answer.

        Raises:
            StoreUnavailableError: there was none within the time-out, or by `deadline` of the
                loop's clock where that is given; it may yet be carried out.
        """
        loop = asyncio.get_running_loop()
        call = _Call(request, loop.create_future())
        self._waiting.append(call)
        if not self._running or (len(self._running) == 1 and len(self._waiting) >= MANY):
            self._running.add(asyncio.create_task(self._run_all()))
        by = loop.time() + self._timeout_s if deadline is None else deadline
        timer = loop.call_at(by, _give_up, call)
        try:
            answer: Answer = await call.future
        finally:
            timer.cancel()
        return answer

    async def _run_all(self) -> None:
        try:
            await self._gather()
            while batch := self._next_batch():
                await self._answer(batch)
                self._ended_s = asyncio.get_running_loop().time()
                await self._gather()
        finally:
            self._running = {each for each in self._running if each is not asyncio.current_task()}
            if not self._running:
                for call in self._waiting:
                    call.future.cancel()
                self._waiting.clear()

    async def _gather(self) -> None:
        left_s = self._ended_s + self._gather_s - asyncio.get_running_loop().time()
        if left_s > 0 and 0 < len(self._waiting) < MANY:
            await asyncio.sleep(left_s)

    def _next_batch(self) -> list[_Call[Request, Answer]]:
        batch: list[_Call[Request, Answer]] = []
        weight = 0
        while self._waiting:
            if self._waiting[0].future.done():
                self._waiting.popleft()
                continue
            weight += self._weigh(self._waiting[0].request)
            if batch and weight > self._max_batch:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _answer(self, batch: Sequence[_Call[Request, Answer]]) -> None:
        try:
            answers = await self._run([call.request for call in batch])
        except (StoreBusyError, StoreRefusedError) as error:
            await self._answer_one_by_one(batch, error)
        except Exception as error:  # noqa: BLE001  each caller gets it, whatever it is
            _refuse(batch, error)
        else:
            for call, answer in zip(batch, answers, strict=True):
                if not call.future.done():
                    call.future.set_result(answer)

    async def _answer_one_by_one(
        self, batch: Sequence[_Call[Request, Answer]], error: Exception
    ) -> None:
        if len(batch) == 1:
            _refuse(batch, error)
            return
        for call in batch:
            if not call.future.done():
                await self._answer([call])


def batched(
    database: Database,
    work: Callable[[Database, Sequence[Request]], Awaitable[Sequence[Answer]]],
    max_batch: int,
    weigh: Callable[[Request], int] = lambda _request: 1,
    gather_s: float = 0,
) -> Batcher[Request, Answer]:
    """Return a batcher of `work` on the database, each caller within the database's time-out."""
    return Batcher(
        partial(work, database),
        max_batch=max_batch,
        timeout_s=database.timeout_s,
        weigh=weigh,
        gather_s=gather_s,
    )


def _give_up(call: _Call[Request, Answer]) -> None:
    if not call.future.done():
        call.future.set_exception(StoreUnavailableError(reasons.SILENT))


def _refuse(batch: Sequence[_Call[Request, Answer]], error: Exception) -> None:
    for call in batch:
        if not call.future.done():
            # One exception raised in many callers would gather all their tracebacks.
            call.future.set_exception(_copied(error))


def _copied(error: Exception) -> Exception:
    copy = type(error)(*error.args)
    copy.__cause__ = error.__cause__
    copy.__suppress_context__ = True
    return copy
