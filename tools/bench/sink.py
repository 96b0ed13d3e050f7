"""An SMTP server that is no bottleneck: postfix's smtp-sink, which counts what it takes."""

import asyncio
import getpass
import re

from tests.programs import Base, Program
from tests.servers.processes import LOOPBACK, free_port, listens
from tests.waiting import require
from tools.bench.tools import Tool

_BACKLOG = 4_096
_CONNECTIONS = 4_000
_COUNTER = re.compile(r"mesg=(\d+)")


class Sink:
    """A running server; `answers_after_s` passes between a mail and its answer."""

    def __init__(self, tool: Tool, base: Base, *, answers_after_s: int = 0) -> None:
        self.port = free_port()
        self._counters = base.folder / f"smtp-sink-{self.port}.log"
        delay = ("-W", f".:{answers_after_s}") if answers_after_s else ()
        # Started by root it wants to be told who to become.
        command = (
            *(str(tool.path), "-c", "-u", getpass.getuser(), "-m", str(_CONNECTIONS)),
            *(*delay, f"{LOOPBACK}:{self.port}", str(_BACKLOG)),
        )
        self._program = Program(f"smtp-sink-{self.port}", command, tool.environ, base)

    async def start(self) -> None:
        """Return once it listens."""
        self._program.start()

        async def answers() -> bool:
            return await asyncio.to_thread(listens, LOOPBACK, self.port)

        await require(answers, timeout_s=10, what="smtp-sink")

    def taken(self) -> int:
        """How many mails it has taken so far."""
        return last_count(self._counters.read_text())

    async def stop(self) -> None:
        """End it."""
        await self._program.kill()


def last_count(output: str) -> int:
    """Read the number of mails from the last of smtp-sink's counters."""
    found = _COUNTER.findall(output[-200:])
    return int(found[-1]) if found else 0
