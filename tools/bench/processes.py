"""What OS processes cost: CPU time and memory, from /proc."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


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
    """Seconds of CPU that these processes have used so far."""
    stats = (_stat(Path(f"/proc/{pid}/stat")) for pid in pids)
    return sum(int(fields[11]) + int(fields[12]) for fields in stats if fields) / _TICKS_PER_S


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
    """CPU seconds by part, from its making on: our own descendants, by what they run."""

    def __init__(self, parts: Mapping[str, int]) -> None:
        """`parts` names the process trees that run Python; others go by their program's name."""
        self._parts = parts
        self._before = self._now()

    def read(self) -> dict[str, float]:
        """Seconds since it was made; what ended meanwhile is not counted."""
        now = self._now()
        return {name: round(used - self._before.get(name, 0), 2) for name, used in now.items()}

    def _now(self) -> dict[str, float]:
        used: dict[str, float] = defaultdict(float)
        named = {pid: part for part, root in self._parts.items() for pid in tree_of(root)}
        for pid in tree_of(os.getpid()):
            name = named.get(pid) or _program(pid)
            if name in _SHOWN or pid in named:
                used[name] += cpu_s([pid])
        return dict(used)


_SHOWN = {"postgres", "beam.smp", "smtp-sink", "wrk"}


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
