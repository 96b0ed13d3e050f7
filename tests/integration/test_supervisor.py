import asyncio
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeAlias

import pytest
from structlog.testing import capture_logs

from notifier.worker.supervisor import Death, Life, Supervisor, SupervisorSettings, Target, beat
from tests.integration import supervised
from tests.patience import AT_ALL_S

LIMIT_S = AT_ALL_S
SHORT = SupervisorSettings(processes=1, grace_s=30, restart_min_s=0.01, restart_max_s=0.05)
# Long enough for a beat to be in time on a busy machine.
STRICT = replace(SHORT, hung_after_s=1)

Scenario: TypeAlias = Coroutine[None, None, None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Scenario], None]:
    """Run a scenario on each kind of event loop."""
    return supervised.runner(request.param)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110  nothing signals what /proc shows
            await asyncio.sleep(0)


class Reports:
    """What supervised processes reported, in order of arrival."""

    def __init__(self, received: socket.socket) -> None:
        self._socket = received
        self._reports: asyncio.Queue[tuple[str, int]] = asyncio.Queue()

    def receive(self) -> None:
        event, pid = self._socket.recv(100).decode().split()
        self._reports.put_nowait((event, int(pid)))

    async def next(self, event: str) -> int:
        """The process that reports `event` next."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                reported, pid = await self._reports.get()
                if reported == event:
                    return pid


@asynccontextmanager
async def reporting(path: Path) -> AsyncIterator[Reports]:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as received:
        received.bind(str(path))
        reports = Reports(received)
        loop.add_reader(received.fileno(), reports.receive)
        try:
            yield reports
        finally:
            loop.remove_reader(received.fileno())


class Running:
    """A supervisor that runs in the test's own process."""

    def __init__(self, target: Target, settings: SupervisorSettings, reports: Reports) -> None:
        self.reports = reports
        self.deaths: asyncio.Queue[Death] = asyncio.Queue()
        self.task = asyncio.create_task(Supervisor(target, settings, self.on_death).run())

    async def on_death(self, death: Death) -> None:
        await self.deaths.put(death)

    async def death(self) -> Death:
        async with asyncio.timeout(LIMIT_S):
            return await self.deaths.get()

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task}, timeout=LIMIT_S)
        assert self.task.cancelled()


TargetOf: TypeAlias = Callable[[Path, Life, Connection], None]


@asynccontextmanager
async def supervising(
    tmp_path: Path, target: TargetOf = supervised.steady, settings: SupervisorSettings = SHORT
) -> AsyncIterator[Running]:
    async with reporting(tmp_path / "reports") as reports:
        running = Running(partial(target, tmp_path / "reports"), settings, reports)
        try:
            yield running
        finally:
            await running.stop()
    assert states_of_children() == []


def states_of_children() -> list[str]:
    """The states of this process's supervised children, zombies (Z) among them."""
    mine = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and is_supervised(stat.parent, state):
                mine.append(state)
    return mine


def is_supervised(process: Path, state: str) -> bool:
    return state == "Z" or b"spawn_main" in (process / "cmdline").read_bytes()


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


async def ended(pid: int) -> None:
    """Return once this process, anybody's child, has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    readable = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, readable.set)
    try:
        async with asyncio.timeout(LIMIT_S):
            await readable.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


# --- death ----------------------------------------------------------------------------------


def test_a_child_that_dies_is_told_of_and_started_again(
    run: Callable[[Scenario], None], tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with supervising(tmp_path) as running:
            first = await running.reports.next("up")
            os.kill(first, signal.SIGKILL)

            death = await running.death()
            second = await running.reports.next("up")

            assert f":{os.getpid()}:0:" in death.child
            assert death.exit_code == -signal.SIGKILL
            assert not death.is_clean
            assert second != first

    run(scenario())


async def test_every_life_of_a_child_has_a_name_of_its_own(tmp_path: Path) -> None:
    async with supervising(tmp_path, supervised.short_lived) as running:
        names = [(await running.death()).child for _ in range(2)]

    assert len(set(names)) == 2


@pytest.mark.parametrize(
    ("quick_deaths", "delay_s"), [(1, 0.2), (2, 0.4), (3, 0.8), (8, 25.6), (9, 30), (10_000, 30)]
)
def test_the_delay_before_a_restart_doubles_up_to_its_limit(
    quick_deaths: int, delay_s: float
) -> None:
    settings = SupervisorSettings(processes=1, grace_s=30)

    assert settings.restart_delay_s(quick_deaths) == delay_s


@pytest.mark.parametrize(("stable_after_s", "second_pause_s"), [(60, 0.4), (0, 0.2)])
async def test_the_delay_grows_only_while_lives_are_short(
    tmp_path: Path, stable_after_s: float, second_pause_s: float
) -> None:
    settings = SupervisorSettings(
        processes=1, grace_s=30, restart_min_s=0.2, stable_after_s=stable_after_s
    )
    async with supervising(tmp_path, supervised.short_lived, settings) as running:
        await running.death()
        await running.death()
        died_s = time.monotonic()
        await running.reports.next("up")
        await running.reports.next("up")
        await running.reports.next("up")

        # Starting an interpreter takes time of its own, so that only the least is certain.
        assert time.monotonic() - died_s > second_pause_s - 0.05


async def test_a_child_is_started_again_although_its_death_could_not_be_handled(
    tmp_path: Path,
) -> None:
    async def fail(_death: Death) -> None:
        raise OSError("canary")

    async with reporting(tmp_path / "reports") as reports:
        target = partial(supervised.short_lived, tmp_path / "reports")
        running = asyncio.create_task(Supervisor(target, SHORT, fail).run())
        with capture_logs() as logs:
            pids = {await reports.next("up") for _ in range(2)}
        running.cancel()
        await asyncio.wait({running})

    assert len(pids) == 2
    assert "child.death_not_handled" in [log["event"] for log in logs]


async def test_a_crash_shows_nothing_of_its_text(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with supervising(tmp_path, supervised.crashing) as running:
        await running.death()

    shown = "".join(capfd.readouterr())
    assert "child.crashed" in shown
    assert "canary" not in shown


async def test_ten_kills_in_a_row_leave_exactly_as_many_children_as_wanted(
    tmp_path: Path,
) -> None:
    settings = SupervisorSettings(processes=3, grace_s=30, restart_min_s=0.01, restart_max_s=0.01)
    async with supervising(tmp_path, settings=settings) as running:
        up = [await running.reports.next("up") for _ in range(3)]
        for _ in range(10):
            os.kill(up.pop(0), signal.SIGKILL)
            await running.death()
            up.append(await running.reports.next("up"))

        assert len(states_of_children()) == 3
        assert all(map(is_alive, up))
        assert "Z" not in states_of_children()


@contextmanager
def no_more_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_child_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    async with reporting(tmp_path / "reports") as reports:
        with no_more_files(), capture_logs() as logs:
            target = partial(supervised.steady, tmp_path / "reports")
            running = Running(target, SHORT, reports)
            await until(lambda: bool(logs))

        await reports.next("up")
        await running.stop()

    assert logs[0]["event"] == "child.not_started"


# --- hanging --------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGUSR1])
async def test_a_frozen_child_or_one_with_a_blocked_loop_is_killed_and_started_again(
    tmp_path: Path, how: signal.Signals
) -> None:
    async with supervising(tmp_path, settings=STRICT) as running:
        first = await running.reports.next("up")
        os.kill(first, how)

        await running.death()
        second = await running.reports.next("up")

        assert not is_alive(first)
        assert second != first


async def test_a_child_that_never_gives_a_sign_of_life_is_killed(tmp_path: Path) -> None:
    settings = SupervisorSettings(processes=1, grace_s=30, start_within_s=1, restart_max_s=0.2)
    async with supervising(tmp_path, supervised.mute, settings) as running:
        first = await running.reports.next("up")
        # On a slow machine another may have been killed before it could say that it is up.
        while is_alive(first):
            await running.death()

        assert await running.reports.next("up") != first


async def test_a_child_that_beats_is_left_alone(tmp_path: Path) -> None:
    async with supervising(tmp_path, settings=STRICT) as running:
        pid = await running.reports.next("up")
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * STRICT.hung_after_s):  # long enough to count as hung
                await running.deaths.get()

        assert running.deaths.empty()
        assert is_alive(pid)


async def test_a_child_that_was_halted_together_with_its_parent_is_left_alone(
    tmp_path: Path,
) -> None:
    settings = replace(STRICT, hung_after_s=6)
    async with supervising(tmp_path, settings=settings) as running:
        pid = await running.reports.next("up")
        os.kill(pid, signal.SIGSTOP)
        time.sleep(settings.hung_after_s)  # noqa: ASYNC251  a paused container's clock goes on
        os.kill(pid, signal.SIGCONT)

        with suppress(TimeoutError):
            async with asyncio.timeout(settings.hung_after_s):  # long enough to count as hung
                await running.deaths.get()

        assert running.deaths.empty()
        assert is_alive(pid)


# --- stopping -------------------------------------------------------------------------------


def test_a_stop_lets_every_child_end_by_itself_and_tells_of_it(
    run: Callable[[Scenario], None], tmp_path: Path
) -> None:
    async def scenario() -> None:
        settings = SupervisorSettings(processes=3, grace_s=30)
        async with supervising(tmp_path, settings=settings) as running:
            up = {await running.reports.next("up") for _ in range(3)}
            await running.stop()

            assert {await running.reports.next("stopped") for _ in range(3)} == up
            assert all([(await running.death()).is_clean for _ in range(3)])
            assert not any(map(is_alive, up))

    run(scenario())


def test_a_child_that_ignores_the_stop_is_killed_after_its_grace_and_told_of(
    run: Callable[[Scenario], None], tmp_path: Path
) -> None:
    async def scenario() -> None:
        settings = SupervisorSettings(processes=2, grace_s=0.3)
        async with supervising(tmp_path, supervised.deaf, settings) as running:
            up = [await running.reports.next("up") for _ in range(2)]
            started_s = time.monotonic()
            await running.stop()

            assert time.monotonic() - started_s >= 0.3
            assert not any(map(is_alive, up))
            assert not any([(await running.death()).is_clean for _ in range(2)])

    run(scenario())


async def test_a_second_stop_kills_at_once(tmp_path: Path) -> None:
    settings = SupervisorSettings(processes=2, grace_s=3_600)
    async with supervising(tmp_path, supervised.deaf, settings) as running:
        up = [await running.reports.next("up") for _ in range(2)]
        running.task.cancel()
        await running.reports.next("asked")
        await running.stop()

        assert not any(map(is_alive, up))


async def test_a_stop_during_the_start_leaves_no_child(tmp_path: Path) -> None:
    settings = SupervisorSettings(processes=3, grace_s=30)
    async with supervising(tmp_path, settings=settings) as running:
        await until(lambda: len(states_of_children()) == 3)

        await running.stop()

        assert states_of_children() == []


async def test_a_stop_while_waiting_to_restart_ends_at_once(tmp_path: Path) -> None:
    settings = SupervisorSettings(processes=1, grace_s=30, restart_min_s=3_600)
    async with supervising(tmp_path, supervised.short_lived, settings) as running:
        await running.death()
        await running.stop()


# --- the parent's own end -------------------------------------------------------------------


@asynccontextmanager
async def parent_of_its_own(
    tmp_path: Path, loop: str = "asyncio", target: str = "steady"
) -> AsyncIterator[tuple[asyncio.subprocess.Process, Reports]]:
    path = tmp_path / "reports"
    async with reporting(path) as reports:
        command = [sys.executable, "-m", "tests.integration.supervised", loop, target, str(path)]
        parent = await asyncio.create_subprocess_exec(*command, start_new_session=True)
        try:
            yield parent, reports
        finally:
            with suppress(ProcessLookupError):
                os.killpg(parent.pid, signal.SIGKILL)
            await parent.wait()


Misfortune: TypeAlias = Callable[[int, Reports], Awaitable[object]]


async def go_on(_pid: int, _reports: Reports) -> None:
    """Nothing happens to the child."""


async def block(pid: int, reports: Reports) -> None:
    os.kill(pid, signal.SIGUSR1)
    await reports.next("blocked")


@pytest.mark.parametrize(
    ("loop", "target", "misfortune"),
    [("asyncio", "steady", go_on), ("uvloop", "steady", block), ("asyncio", "deaf", block)],
)
async def test_a_killed_parent_leaves_no_children(
    tmp_path: Path, loop: str, target: str, misfortune: Misfortune
) -> None:
    async with parent_of_its_own(tmp_path, loop, target) as (parent, reports):
        up = [await reports.next("up") for _ in range(2)]
        await misfortune(up[0], reports)
        parent.kill()

        for pid in up:
            await ended(pid)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_sigterm_stops_the_parent_and_its_children(tmp_path: Path, loop: str) -> None:
    async with parent_of_its_own(tmp_path, loop) as (parent, reports):
        up = {await reports.next("up") for _ in range(2)}
        parent.terminate()
        stopped = {await reports.next("stopped") for _ in range(2)}
        async with asyncio.timeout(LIMIT_S):
            exit_code = await parent.wait()

        assert stopped == up
        assert exit_code == 0
        assert not any(map(is_alive, up))


async def test_ctrl_c_for_the_whole_group_is_left_to_the_parent(tmp_path: Path) -> None:
    async with parent_of_its_own(tmp_path) as (parent, reports):
        up = {await reports.next("up") for _ in range(2)}
        for pid in up:
            os.kill(pid, signal.SIGINT)
        parent.terminate()

        assert {await reports.next("stopped") for _ in range(2)} == up


async def test_beating_ends_when_nobody_listens_any_more() -> None:
    theirs, ours = Pipe()
    theirs.close()

    async with asyncio.timeout(LIMIT_S):
        await beat(ours, every_s=3_600)

    ours.close()
