import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.channels.email.smtp.connections import Cap, Connections, Limits, NotOpenedError
from tests.servers.messages import ManualClock

# --- how many -------------------------------------------------------------------------------


def test_a_refusal_brings_the_cap_down_to_three_quarters_of_what_stood() -> None:
    cap = Cap(64)

    assert cap.refused(50, began_s=0, now_s=1)
    assert cap.now == 37


def test_refusals_of_one_burst_count_once() -> None:
    cap = Cap(16)
    cap.refused(12, began_s=0, now_s=1)

    assert not cap.refused(12, began_s=0.9, now_s=1.1)
    assert cap.now == 9
    assert cap.refused(9, began_s=1.2, now_s=1.3)
    assert cap.now == 6


def test_success_lets_the_cap_up_by_one_a_second_up_to_the_most() -> None:
    cap = Cap(12)
    cap.refused(12, began_s=0, now_s=0)
    seen = []
    for tenth in range(60):
        cap.served(tenth / 10)
        seen.append(cap.now)

    assert seen[::10] == [9, 10, 11, 12, 12, 12]


def test_without_success_the_cap_stays_where_it_is() -> None:
    cap = Cap(12)
    cap.refused(12, began_s=0, now_s=0)

    assert cap.now == 9


@given(st.lists(st.integers(0, 100)))
def test_one_connection_may_always_be_tried(had: list[int]) -> None:
    cap = Cap(8)
    for at_s, connections in enumerate(had):
        cap.refused(connections, began_s=at_s, now_s=at_s)
        assert 1 <= cap.now <= 8


@given(st.integers(2, 40), st.integers(0, 40))
def test_two_who_share_a_server_come_to_have_as_many(limit: int, first: int) -> None:
    caps = Cap(limit + 4), Cap(limit + 4)
    had = [min(first, limit), limit - min(first, limit)]
    shares: list[tuple[int, int]] = []
    for at_s in range(400):
        for who, cap in enumerate(caps):
            had[who] = min(had[who], cap.now)
            if had[who] < cap.now:
                if sum(had) < limit:
                    had[who] += 1
                else:
                    cap.refused(had[who], began_s=at_s, now_s=at_s)
            if had[who]:
                cap.served(at_s + 0.5)
        shares.append((had[0], had[1]))

    late = shares[200:]
    assert min(sum(share) / len(late) for share in zip(*late, strict=True)) >= limit / 5


# --- the pool -------------------------------------------------------------------------------


class FullError(Exception):
    """The door says: not now."""


class BrokenError(Exception):
    """The door says: never."""


@dataclass(eq=False)
class Wire:
    """A connection to `Server`."""

    server: "Server"
    mails_left: int = 100
    idle_since_s: float | None = None
    is_open: bool = True

    @property
    def is_usable(self) -> bool:
        return self.is_open

    @property
    def is_reusable(self) -> bool:
        return self.is_open and self.mails_left > 0

    async def quit(self) -> None:
        await asyncio.sleep(0)
        await self.server.parts.wait()
        self.abort()

    def abort(self) -> None:
        if self.is_open:
            self.is_open = False
            self.server.open -= 1


@dataclass
class Timer:
    due_s: float
    call: Callable[[], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


@dataclass
class Server:
    """Bears `bears` connections, greets when `greets` is set, takes leave when `parts` is."""

    bears: int = 1_000
    problem: type[Exception] = FullError
    mails_a_wire: int = 100
    greets: asyncio.Event = field(default_factory=asyncio.Event)
    parts: asyncio.Event = field(default_factory=asyncio.Event)
    clock: ManualClock = field(default_factory=ManualClock)
    timers: list[Timer] = field(default_factory=list)
    open: int = 0
    most_open: int = 0
    asked: int = 0

    def __post_init__(self) -> None:
        self.greets.set()
        self.parts.set()

    async def accept(self) -> Wire:
        self.asked += 1
        await asyncio.sleep(0)
        await self.greets.wait()
        if self.open >= self.bears:
            raise self.problem
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        return Wire(self, self.mails_a_wire)

    def later(self, delay_s: float, call: Callable[[], None]) -> Timer:
        timer = Timer(self.clock.elapsed_s + delay_s, call)
        self.timers.append(timer)
        return timer

    async def advance(self, seconds: float) -> None:
        """Let time pass, and what is due in it happen."""
        until_s = self.clock.elapsed_s + seconds
        while due := [timer for timer in self.timers if timer.due_s <= until_s]:
            first = min(due, key=lambda timer: timer.due_s)
            self.timers.remove(first)
            self.clock.advance(max(0, first.due_s - self.clock.elapsed_s))
            if not first.is_cancelled:
                first.call()
            await settle()
        self.clock.advance(until_s - self.clock.elapsed_s)


def pool_of(server: Server, most: int = 16, **limits: float) -> Connections[Wire]:
    return Connections(
        server.accept,
        lambda error: isinstance(error, FullError),
        Limits(most=most, **limits),  # type: ignore[arg-type]
        server.clock,
        server.later,
    )


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def takers(pool: Connections[Wire], number: int) -> list[asyncio.Task[Wire]]:
    return [asyncio.create_task(pool.take()) for _ in range(number)]


def taken(tasks: list[asyncio.Task[Wire]]) -> list[Wire]:
    return [task.result() for task in tasks if task.done() and task.exception() is None]


async def test_what_is_kept_is_taken_before_anything_is_opened() -> None:
    server = Server()
    pool = pool_of(server)
    first = await pool.take()
    pool.release(first, is_intact=True)

    assert await pool.take() is first
    assert server.asked == 1


async def test_who_waits_for_an_opening_takes_what_becomes_free() -> None:
    server = Server()
    pool = pool_of(server)
    kept = await pool.take()
    server.greets.clear()
    (waiting,) = takers(pool, 1)
    await settle()
    assert server.asked == 2

    pool.release(kept, is_intact=True)

    assert await waiting is kept


async def test_a_server_that_is_slow_to_greet_is_asked_a_few_times_at_once() -> None:
    server = Server()
    server.greets.clear()
    pool = pool_of(server, openings=4)

    waiting = takers(pool, 16)
    await settle()
    assert server.asked == 4

    server.greets.set()
    assert len({id(wire) for wire in await asyncio.gather(*waiting)}) == 16


async def test_what_is_opened_for_nobody_any_more_is_kept() -> None:
    server = Server()
    server.greets.clear()
    pool = pool_of(server)
    (waiting,) = takers(pool, 1)
    await settle()
    waiting.cancel()
    server.greets.set()
    await settle()

    await pool.take()
    assert server.asked == 1


async def test_what_is_handed_to_one_who_was_cancelled_goes_to_the_next() -> None:
    server = Server(bears=1)
    pool = pool_of(server, most=1)
    held = await pool.take()
    given_up, patient = takers(pool, 2)
    await settle()

    pool.release(held, is_intact=True)
    given_up.cancel()

    assert await patient is held


async def test_a_refusal_beside_working_connections_is_heard_by_nobody() -> None:
    server = Server(bears=12)
    pool = pool_of(server)
    tasks = takers(pool, 16)
    await settle()
    wires = taken(tasks)
    assert len(wires) == 12

    for wire in wires[:4]:
        pool.release(wire, is_intact=True)
    await settle()
    assert not [task for task in tasks if task.done() and task.exception()]

    for wire in wires[4:]:
        pool.release(wire, is_intact=True)
    await settle()
    assert all(task.done() for task in tasks)


async def test_after_a_refusal_what_is_too_much_is_given_back_for_others() -> None:
    server = Server(bears=12)
    pool = pool_of(server)
    tasks = takers(pool, 16)
    await settle()

    for wire in taken(tasks):
        pool.release(wire, is_intact=True)
    await settle()

    assert server.open <= 9


async def test_success_feels_the_way_up_again() -> None:
    server = Server(bears=4)
    pool = pool_of(server, most=8)
    tasks = takers(pool, 8)
    await settle()
    server.bears = 8
    holding = taken(tasks)
    for _ in range(20):
        await server.advance(1)
        for wire in holding:
            pool.release(wire, is_intact=True)
        takers(pool, 8)
        await settle()
        holding = [*pool._busy]  # noqa: SLF001  who holds them does not matter here

    assert server.open == 8


@pytest.mark.parametrize("problem", [FullError, BrokenError])
async def test_without_any_other_connection_everybody_hears_why(problem: type[Exception]) -> None:
    server = Server(bears=0, problem=problem)
    pool = pool_of(server, patience_s=0)

    answers = await asyncio.gather(*takers(pool, 16), return_exceptions=True)

    assert all(isinstance(answer, NotOpenedError) for answer in answers)
    assert {type(answer.__cause__) for answer in answers if isinstance(answer, Exception)} == {
        problem
    }
    assert server.asked <= 4


async def test_a_full_server_is_asked_again_for_a_while_by_who_has_nothing() -> None:
    server = Server(bears=0)
    pool = pool_of(server)
    (waiting,) = takers(pool, 1)
    await server.advance(3)
    server.bears = 1
    await server.advance(1)

    assert isinstance(await waiting, Wire)


async def test_a_server_that_stays_full_is_given_up_on_and_then_at_once() -> None:
    server = Server(bears=0)
    pool = pool_of(server)
    (waiting,) = takers(pool, 1)
    await settle()
    await server.advance(4)
    assert not waiting.done()
    await server.advance(2)
    assert isinstance(waiting.exception(), NotOpenedError)

    with pytest.raises(NotOpenedError):
        await pool.take()


async def test_what_is_not_needed_is_given_back_soon_and_the_last_one_late() -> None:
    server = Server()
    pool = pool_of(server)
    for wire in await asyncio.gather(*takers(pool, 8)):
        pool.release(wire, is_intact=True)

    await server.advance(5)
    assert server.open == 1
    await server.advance(40)
    assert server.open == 0


async def test_a_proven_connection_is_none_that_lay_idle() -> None:
    server = Server()
    pool = pool_of(server)
    first, second = await asyncio.gather(*takers(pool, 2))
    pool.release(first, is_intact=True)
    pool.release(second, is_intact=False)

    assert (await pool.take(proven=True)).idle_since_s is None


async def test_a_worn_out_connection_is_replaced_for_who_waits() -> None:
    server = Server(mails_a_wire=0)
    pool = pool_of(server, most=1)
    first = await pool.take()
    (waiting,) = takers(pool, 1)
    await settle()
    server.parts.clear()
    pool.release(first, is_intact=True)
    await settle()
    assert server.asked == 1

    server.parts.set()

    assert await waiting is not first
    assert server.most_open == 1


async def test_closing_leaves_nothing_open() -> None:
    server = Server()
    pool = pool_of(server)
    used, kept = await asyncio.gather(*takers(pool, 2))
    server.greets.clear()
    (given_up,) = takers(pool, 1)
    await settle()
    given_up.cancel()
    await settle()
    pool.release(kept, is_intact=True)

    await pool.close()
    pool.release(used, is_intact=True)
    server.greets.set()
    await settle()

    assert server.open == 0


# --- whatever happens -----------------------------------------------------------------------

STEPS = st.one_of(
    st.tuples(st.just("take"), st.just(0)),
    st.tuples(st.just("give up"), st.integers(0, 50)),
    st.tuples(st.just("release"), st.integers(0, 50)),
    st.tuples(st.just("break"), st.integers(0, 50)),
    st.tuples(st.just("bears"), st.integers(0, 12)),
    st.tuples(st.just("greets"), st.integers(0, 1)),
    st.tuples(st.just("advance"), st.integers(0, 40)),
    st.tuples(st.just("turn"), st.integers(0, 3)),
)


@dataclass
class History:
    """Takers of one pool that come, go and change their minds."""

    server: Server
    pool: Connections[Wire]
    tasks: list[asyncio.Task[Wire]] = field(default_factory=list)
    held: list[Wire] = field(default_factory=list)

    async def step(self, what: str, number: int) -> None:
        match what:
            case "take":
                self.tasks.append(asyncio.create_task(self.pool.take()))
            case "give up" if self.tasks:
                self.tasks[number % len(self.tasks)].cancel()
            case "release" | "break" if self.held:
                wire = self.held.pop(number % len(self.held))
                self.pool.release(wire, is_intact=what == "release")
            case "bears":
                self.server.bears = number
            case "greets":
                (self.server.greets.set if number else self.server.greets.clear)()
            case "advance":
                await self.server.advance(number / 4)
            case _:
                for _ in range(number):
                    await asyncio.sleep(0)
        self.collect()

    def collect(self) -> None:
        for task in [task for task in self.tasks if task.done()]:
            self.tasks.remove(task)
            if not task.cancelled() and task.exception() is None:
                self.held.append(task.result())

    async def end(self) -> None:
        """The server is friendly now, and everybody gives back what he has."""
        self.server.bears = 1_000
        self.server.greets.set()
        for _ in range(200):
            await self.server.advance(1)
            await settle()
            self.collect()
            for wire in self.held:
                self.pool.release(wire, is_intact=True)
            self.held.clear()


@given(st.lists(STEPS, max_size=60), st.integers(1, 6))
def test_no_connection_too_many_no_waiter_lost_and_none_leaked(
    steps: list[tuple[str, int]], most: int
) -> None:
    async def run() -> None:
        server = Server(mails_a_wire=3)
        history = History(server, pool_of(server, most=most))
        for what, number in steps:
            await history.step(what, number)
            assert server.open <= most
        await history.end()
        assert not history.tasks
        await history.pool.close()
        assert server.open == 0

    asyncio.run(run())
