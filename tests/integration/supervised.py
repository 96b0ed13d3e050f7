"""What the supervisor's tests supervise: children that report, and a parent that can be killed.

Run as a module it is such a parent: `python -m tests.integration.supervised LOOP TARGET REPORTS`.
"""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path

from notifier.worker.supervisor import (
    Death,
    Life,
    Supervisor,
    SupervisorSettings,
    beat,
    end_with_parent,
)

CHILD_GRACE_S = 0.5


def report(reports: Path, event: str) -> None:
    """Tell the test that `event` happened in this process."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to_test, suppress(OSError):
        to_test.sendto(f"{event} {os.getpid()}".encode(), str(reports))


def steady(reports: Path, _life: Life, link: Connection) -> None:
    """Run until SIGTERM. SIGUSR1 blocks the event loop for good."""
    asyncio.run(_work(reports, link))


def deaf(reports: Path, _life: Life, link: Connection) -> None:
    """Run and beat, and do not end on SIGTERM."""
    asyncio.run(_work(reports, link, is_deaf=True))


def short_lived(reports: Path, _life: Life, _link: Connection) -> None:
    """End by itself at once."""
    report(reports, "up")


def crashing(reports: Path, _life: Life, _link: Connection) -> None:
    """Crash at once, with a text that nobody may see."""
    report(reports, "up")
    raise ValueError("canary")


def mute(reports: Path, _life: Life, _link: Connection) -> None:
    """Never beat."""
    report(reports, "up")
    time.sleep(3_600)


async def _work(reports: Path, link: Connection, *, is_deaf: bool = False) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    on_term = partial(report, reports, "asked") if is_deaf else stopped.set
    loop.add_signal_handler(signal.SIGTERM, on_term)
    loop.add_signal_handler(signal.SIGUSR1, _block, reports)
    end_with_parent(link, CHILD_GRACE_S)
    beating = asyncio.create_task(beat(link, every_s=0.05))
    await asyncio.sleep(0)  # the first beat is out: what follows is silence, not a slow start
    report(reports, "up")
    await stopped.wait()
    beating.cancel()
    report(reports, "stopped")


def _block(reports: Path) -> None:
    report(reports, "blocked")
    time.sleep(3_600)


async def _supervise(target: str, reports: Path) -> None:
    async def on_death(_death: Death) -> None:
        report(reports, "death")

    settings = SupervisorSettings(processes=2, grace_s=5, hung_after_s=30)
    supervisor = Supervisor(partial(globals()[target], reports), settings, on_death)
    running = asyncio.create_task(supervisor.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    with suppress(asyncio.CancelledError):
        await running


def runner(name: str) -> Callable[[Coroutine[None, None, None]], None]:
    """`run` of asyncio or uvloop; children need not import what they do not use."""
    return import_module(name).run  # type: ignore[no-any-return]


if __name__ == "__main__":
    runner(sys.argv[1])(_supervise(sys.argv[2], Path(sys.argv[3])))
