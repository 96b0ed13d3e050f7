"""Load over HTTP by wrk, which needs a small part of what a server in Python does."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.e2e.processes import environment
from tools.bench.tools import Tool

_SCRIPT = Path(__file__).with_name("post.lua")
CONNECTIONS = 64
NUMBER = "{n}"
"""Stands for a notification's own number in what is posted."""
SHIPPED: Mapping[str, Any] = {
    "type": "email",
    "recipient": "user{n}@example.com",
    "subject": "Your order {n}",
    "content": "Hello, your order {n} is on its way and should be with you by Friday.",
}


class LoadError(Exception):
    """The load was not answered as it must be; says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to POST notifications; with a `batch` above 1, so many in each request.

    If it `is_keyed`, each request has an Idempotency-Key of its own.
    """

    url: str
    headers: Mapping[str, str]
    batch: int = 1
    lane: str = "normal"
    is_keyed: bool = False
    notification: Mapping[str, Any] = field(default_factory=lambda: SHIPPED)

    @property
    def pattern(self) -> str:
        """A notification as JSON, with `NUMBER` where its own number goes."""
        return json.dumps({**self.notification, "priority": self.lane}, separators=(",", ":"))

    def having(self, **fields: Any) -> "Endpoint":
        """Where notifications go that have these fields, too."""
        return replace(self, notification={**self.notification, **fields})

    def body(self, number: int) -> str:
        """The notification of this number, as JSON."""
        return self.pattern.replace(NUMBER, str(number))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What was answered 2xx, and how fast."""

    requests: int
    duration_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float

    @property
    def per_s(self) -> float:
        """Requests a second."""
        return self.requests / self.duration_s


async def post(
    wrk: Tool, endpoint: Endpoint, *, seconds: float, connections: int = CONNECTIONS, first: int = 0
) -> Answered:
    """POST for some seconds, always with so many requests under way.

    Raises:
        LoadError: a request was refused, or got no answer.
    """
    headers = {"Content-Type": "application/json", **endpoint.headers}
    keyed = "keyed" if endpoint.is_keyed else ""
    process = await asyncio.create_subprocess_exec(
        str(wrk.path),
        *("-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "30s", "-s", str(_SCRIPT)),
        *(word for name, value in headers.items() for word in ("-H", f"{name}: {value}")),
        *(endpoint.url, "--", str(endpoint.batch), str(first), endpoint.pattern, keyed),
        env=environment(wrk.environ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return parse(output.decode())


def parse(output: str) -> Answered:
    """Read what post.lua prints last.

    Raises:
        LoadError: it is not there, or tells of requests that were refused or not answered.
    """
    line = output.strip().rpartition("\n")[2]
    if not line.startswith("{"):
        raise LoadError(f"wrk printed: {output.strip()}")
    told = json.loads(line)
    for problem in ("refused", "broken", "late"):
        if told[problem]:
            raise LoadError(f"{told[problem]} of {told['requests']} requests were {problem}")
    return Answered(
        requests=told["requests"],
        duration_s=told["duration_us"] / 1e6,
        p50_ms=told["p50_us"] / 1e3,
        p99_ms=told["p99_us"] / 1e3,
        max_ms=told["max_us"] / 1e3,
    )
