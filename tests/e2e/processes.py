"""Notifier's processes, started, watched and ended as a user or a process manager does."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.patience import AT_ALL_S
from tests.servers.processes import wait_until
from tests.servers.reaper import reaping

CHECKOUT = Path(__file__).resolve().parents[2]
NOTIFIER = (sys.executable, "-m", "notifier")
WORKER_RUNNER = (sys.executable, str(CHECKOUT / "worker_runner.py"))


class Running:
    """A started process; what it prints, on stdout and stderr, is collected line by line."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._is_silent = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def output(self) -> str:
        """All that it has printed so far."""
        with self._news:
            return "".join(self._lines)

    def line(self, pattern: str, *, timeout_s: float = AT_ALL_S) -> re.Match[str]:
        """Wait for a line that matches, from its first one on; fails when none can come."""
        deadline = time.monotonic() + timeout_s
        seen = 0
        with self._news:
            while True:
                for line in self._lines[seen:]:
                    if found := re.search(pattern, line):
                        return found
                seen = len(self._lines)
                left_s = deadline - time.monotonic()
                if self._is_silent or left_s <= 0:
                    raise AssertionError(f"no line {pattern!r}")
                self._news.wait(left_s)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it, not to its children."""
        self.process.send_signal(number)

    def ends(self, *, timeout_s: float = AT_ALL_S) -> int:
        """Wait for its end; returns its exit code, negative for a signal."""
        code = self.process.wait(timeout=timeout_s)
        self._reader.join(timeout=5)
        return code

    def stop(self, number: signal.Signals = signal.SIGTERM, *, timeout_s: float = AT_ALL_S) -> int:
        """Send a signal and wait for its end; returns its exit code."""
        self.send(number)
        return self.ends(timeout_s=timeout_s)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                with self._news:
                    self._lines.append(line.decode(errors="replace"))
                    self._news.notify_all()
        with self._news:
            self._is_silent = True
            self._news.notify_all()


@contextmanager
def running(
    command: Sequence[str], environ: Mapping[str, str], *, cwd: Path = CHECKOUT
) -> Iterator[Running]:
    """Start a command, and end it by SIGTERM; what it printed is told with a failure."""
    with reaping() as reaper:
        process = Running(
            reaper.start(
                command,
                env=environment(environ),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        )
        try:
            yield process
        except BaseException as error:
            error.add_note(f"{' '.join(command)} printed:\n{process.output[-8_000:]}")
            raise
        finally:
            with suppress(subprocess.TimeoutExpired):
                process.stop()


def run(
    *arguments: str, environ: Mapping[str, str], cwd: Path = CHECKOUT
) -> subprocess.CompletedProcess[str]:
    """Run a command of notifier's to its end."""
    return subprocess.run(
        [*NOTIFIER, *arguments],
        env=environment(environ),
        cwd=cwd,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=AT_ALL_S,
    )


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with `ours` as the only settings of notifier's."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}
    return {**others, **ours}


def uncounted(environ: Mapping[str, str]) -> dict[str, str]:
    """The same environment, where nobody counts the lines that processes run.

    Counted they need twice the time for a start, and half as much again for what they do.
    """
    return {
        name: value for name, value in environ.items() if not name.startswith("COVERAGE_PROCESS_")
    }


def uncount_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processes that a test starts run as fast as they do."""
    for name in os.environ.keys() - uncounted(os.environ).keys():
        monkeypatch.delenv(name)


def children_of(pid: int) -> list[int]:
    """The ids of the OS processes that `pid` started and that still run."""
    return [int(stat.parent.name) for stat in Path("/proc").glob("[0-9]*/stat") if _is(stat, pid)]


def _is(stat: Path, parent: int) -> bool:
    try:
        state, ppid = stat.read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(ppid) == parent and state != "Z"


def workers_of(pid: int) -> list[int]:
    """Those children of a worker runner that deliver."""
    return [child for child in children_of(pid) if b"spawn_main" in _command_line(child)]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def is_gone(pid: int) -> bool:
    """Whether no such process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def await_gone(pids: Sequence[int], *, timeout_s: float) -> None:
    """Wait until none of these processes runs."""
    wait_until(
        lambda: all(map(is_gone, pids)), timeout_s=timeout_s, what="the end of the processes"
    )
