"""What OS processes cost: CPU time and memory, from /proc."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_SERVERS = {"postgres": "PostgreSQL", "beam.smp": "RabbitMQ"}


@dataclass(frozen=True, slots=True)
class Memory:
    """Of several processes together: `pss` counts what they share once, `rss` in each of them."""

    pss_mib: float
    rss_mib: float


def tree_of(pid: int) -> list[int]:
    """This process and all that descend from it."""
    children = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        if fields := _stat(stat):
            children[int(fields[1])].append(int(stat.parent.name))
    found, left = [], [pid]
    while left:
        found.append(left.pop())
        left += children[found[-1]]
    return found


def cpu_s(pids: Iterable[int]) -> float:
    """Seconds of CPU that these processes have used so far, by the kernel's run-time counters."""
    return sum(map(_run_ns, pids)) / 1e9


def _run_ns(pid: int) -> int:
    """Of the threads that live: those that servers begin with do as long as they."""
    total = 0
    for counter in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            total += int(counter.read_text().split()[0])
    return total


def _stat(path: Path) -> list[str]:
    """The fields from the third on; none if it is gone."""
    try:
        return path.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def memory_of(pids: Iterable[int]) -> Memory:
    """What these processes hold in memory now."""
    kib: dict[str, int] = defaultdict(int)
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        except (FileNotFoundError, ProcessLookupError):
            continue
        for line in lines:
            name, value, *_ = line.split()
            kib[name] += int(value)
    return Memory(round(kib["Pss:"] / 1024, 1), round(kib["Rss:"] / 1024, 1))


class CpuMeter:
    """CPU seconds by part, from its making on: a stack's own processes, and its servers.

    The load and the SMTP server are no part of any stack, and are not counted.
    """

    def __init__(self, parts: Mapping[str, int]) -> None:
        """`parts` names the process trees of the stack; servers are found among descendants."""
        self._parts = parts
        self._before = {pid: cpu_s([pid]) for pid in self._named()}

    def read(self) -> dict[str, float]:
        """Seconds since it was made; a process that ended meanwhile is not counted."""
        used: dict[str, float] = defaultdict(float)
        for pid, part in self._named().items():
            used[part] += cpu_s([pid]) - self._before.get(pid, 0)
        return dict(used)

    def _named(self) -> Mapping[int, str]:
        """The part of each process."""
        named = {pid: part for part, root in self._parts.items() for pid in tree_of(root)}
        programs = {pid: _program(pid) for pid in tree_of(os.getpid())}
        return named | {pid: _SERVERS[each] for pid, each in programs.items() if each in _SERVERS}


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
