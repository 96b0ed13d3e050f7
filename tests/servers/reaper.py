"""Ends what a service started, whether its owner leaves in order, is interrupted or is killed.

The owner tells a reaper process what there is to end, through a pipe. When the pipe closes - the
owner closed it, or died - the reaper ends all of it, newest first, and exits. There is one way of
ending things, so that the way after a crash is tested by every ordinary run.

Run by path, with the standard library only: it must start fast and import nothing of ours.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

_POLL_S = 0.02
_REMOVALS = 50
_PROC = Path("/proc/self")


class Reaper:
    """The owner's side: a method returns once the reaper process was told."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._started: list[subprocess.Popen[bytes]] = []

    def start(
        self,
        command: Sequence[str | Path],
        *,
        ending: Sequence[str] = ("KILL",),
        grace_s: float = 10.0,
        **options: Any,
    ) -> subprocess.Popen[bytes]:
        """Start the command as the leader of its own process group.

        At the end the group gets each signal of `ending` in turn, until the leader is gone, with
        at most `grace_s` between them. `options` go to `subprocess.Popen`.
        """
        process = subprocess.Popen(command, start_new_session=True, **options)
        self._started.append(process)
        action = {"pid": process.pid, "signals": list(ending), "grace_s": grace_s}
        self._tell(f"group {process.pid}", action)
        return process

    def end(self, process: subprocess.Popen[bytes], signal_number: signal.Signals) -> None:
        """Signal the group of a process started here, and wait for the process.

        Raises:
            subprocess.TimeoutExpired: it still runs after 30 s.
        """
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal_number)
        process.wait(timeout=30)
        # Its number may soon be another's.
        self._tell(f"group {process.pid}", None)

    def run(self, key: str, command: Sequence[str]) -> None:
        """Run the command; what it prints and returns is ignored."""
        self._tell(key, {"run": list(command)})

    def remove(self, folder: Path) -> None:
        """Remove the folder and everything in it."""
        self._tell(f"folder {folder}", {"remove": str(folder)})

    def wait_for_started(self) -> None:
        """Collect what was started, after the reaper ended it."""
        for process in self._started:
            process.wait(timeout=30)

    def _tell(self, key: str, action: dict[str, Any] | None) -> None:
        self._pipe.write(json.dumps([key, action]).encode() + b"\n")
        self._pipe.flush()


@contextlib.contextmanager
def reaping() -> Iterator[Reaper]:
    """Yield a reaper; what it was told about is gone when the block, or this process, ends."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__],
        stdin=subprocess.PIPE,
        start_new_session=True,  # an interrupt of the terminal's group must not reach it
    )
    assert process.stdin is not None
    reaper = Reaper(process.stdin)
    try:
        yield reaper
    finally:
        process.stdin.close()
        process.wait()
        reaper.wait_for_started()


def _end_group(pid: int, signals: list[str], grace_s: float) -> None:
    for name in signals:
        try:
            os.killpg(pid, signal.Signals[f"SIG{name}"])
        except ProcessLookupError:
            return
        deadline = time.monotonic() + grace_s
        # The group's leader is not our child: nobody tells us when it is gone.
        while time.monotonic() < deadline and _has_running(pid):
            time.sleep(_POLL_S)


def _has_running(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    # A dead leader stays in the table until its parent asks; it does nothing any more.
    try:
        return Path(f"/proc/{group}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return not _PROC.exists()  # where there is no /proc, the whole grace is waited


def _remove(folder: Path) -> None:
    # Processes just killed may write a last file; the second attempt finds it.
    for _ in range(_REMOVALS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(_POLL_S)


def _perform(action: dict[str, Any]) -> None:
    if "pid" in action:
        _end_group(action["pid"], action["signals"], action["grace_s"])
    if "run" in action:
        subprocess.run(action["run"], check=False, capture_output=True, timeout=60)
    if "remove" in action:
        _remove(Path(action["remove"]))


def _reap(lines: IO[str]) -> None:
    actions: dict[str, dict[str, Any]] = {}
    for line in lines:
        key, action = json.loads(line)
        actions.pop(key, None)
        if action is not None:
            actions[key] = action
    for action in reversed(actions.values()):
        with contextlib.suppress(Exception):  # the rest must be ended even if this one cannot
            _perform(action)


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    _reap(sys.stdin)
