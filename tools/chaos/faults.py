"""Doing what the plan says, and writing down what was done when."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.chaos.injectors import Injectors, Target
from tools.chaos.plan import Kind, Planned


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault that happened, in seconds since the epoch."""

    kind: Kind
    target: str
    began_at: float
    ended_at: float


class Faults:
    """Carries out a plan; each fault is mended before `run` returns.

    `locks` are those of the parts of the whole: who holds one is the only one to break it.
    """

    def __init__(self, injectors: Injectors, locks: Mapping[str, asyncio.Lock]) -> None:
        self.done: list[Fault] = []
        self.under_way: set[str] = set()
        self._injectors = injectors
        self._locks = locks

    async def run(self, plan: Sequence[Planned]) -> None:
        """Begin each fault at its time, or as soon as what it hits is whole again."""
        began_s = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for planned in plan:
                group.create_task(self._do_at(planned, began_s + planned.at_s))

    async def _do_at(self, planned: Planned, at_s: float) -> None:
        await asyncio.sleep(max(0, at_s - time.monotonic()))
        target = self._target(planned)
        async with self._locks[target.part]:
            await self._do(planned, target.name)

    def _target(self, planned: Planned) -> Target:
        targets = self._injectors[planned.kind].targets
        whole = [target for target in targets if not self._locks[target.part].locked()]
        return planned.pick(whole or targets)

    async def _do(self, planned: Planned, target: str) -> None:
        label = f"{planned.kind}: {target}"
        self.under_way.add(label)
        began_at = time.time()
        try:
            await self._injectors[planned.kind].inject(target, planned)
        finally:
            self.under_way.discard(label)
            self.done.append(
                Fault(kind=planned.kind, target=target, began_at=began_at, ended_at=time.time())
            )

    def write(self, path: Path) -> None:
        """Write what happened."""
        path.write_text("".join(json.dumps(asdict(fault)) + "\n" for fault in self.done))
