"""What a run ran on."""

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tools.bench.place import Servers

_PACKAGES = ("aio-pika", "asyncpg", "sqlalchemy", "starlette", "uvicorn", "uvloop")


def describe(servers: Servers) -> Mapping[str, Any]:
    """The machine, the servers and what notifier stands on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "load": [round(each, 2) for each in os.getloadavg()],
        "system": f"Linux {platform.release()}",
        "python": platform.python_version(),
        "postgresql": servers.postgres.version.split()[0],
        "rabbitmq": servers.rabbitmq.version,
        **{name: version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
