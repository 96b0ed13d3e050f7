"""OS processes that a run starts, and ends in whatever way; what they print goes to files."""

import asyncio
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.processes import CHECKOUT, environment
from tests.patience import AT_ALL_S
from tests.servers.reaper import Reaper


@dataclass(frozen=True, slots=True)
class Base:
    """Where processes are started from: who ends them, and the folder of what they print."""

    reaper: Reaper
    folder: Path


class Program:
    """An OS process that can be killed and started again; what it prints goes to a file."""

    def __init__(
        self, name: str, command: tuple[str, ...], environ: Mapping[str, str], base: Base
    ) -> None:
        self.name = name
        self._command = command
        self._environ = environ
        self._base = base
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The id of the process that was started last."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, as the leader of its own process group."""
        with (self._base.folder / f"{self.name}.log").open("ab") as output:
            self._process = self._base.reaper.start(
                self._command,
                env=environment(self._environ),
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    async def kill(self) -> None:
        """SIGKILL to this process alone; its children are left to themselves."""
        assert self._process is not None
        self._process.kill()
        await asyncio.to_thread(self._process.wait)

    async def stop(self) -> None:
        """SIGTERM, and wait for its end.

        Raises:
            subprocess.TimeoutExpired: it still runs after 60 s.
        """
        assert self._process is not None
        self._process.terminate()
        await asyncio.to_thread(self._process.wait, timeout=AT_ALL_S)
