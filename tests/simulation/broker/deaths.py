"""The headers of a dead letter."""

from datetime import datetime
from typing import Any

from pamqp.common import FieldTable

from tests.simulation.broker.letter import Letter
from tests.simulation.broker.versions import Version

REJECTED = "rejected"


def dead_headers(
    letter: Letter, queue: str, reason: str, *, at: datetime, version: Version
) -> FieldTable:
    """The headers of `letter` once it died in `queue`: each queue and reason is told once."""
    headers = letter.headers
    deaths = _deaths(letter) if version.trusts_deaths or letter.was_dead else []
    same = [each for each in deaths if (each["queue"], each["reason"]) == (queue, reason)]
    others = [each for each in deaths if each not in same]
    count = same[0]["count"] + 1 if same else 1
    death: dict[str, Any] = {
        "count": count,
        "reason": reason,
        "queue": queue,
        "time": same[0]["time"] if same else at,
        "exchange": letter.exchange,
        "routing-keys": [letter.routing_key],
    }
    if reason == REJECTED and version.counts_rejection:
        headers["x-delivery-count"] = 1
    told = {"queue": queue, "reason": reason, "exchange": letter.exchange}
    if not deaths:
        headers |= {f"x-first-death-{name}": value for name, value in told.items()}
    if version.tells_last_death:
        headers |= {f"x-last-death-{name}": value for name, value in told.items()}
    return {**headers, "x-death": [death, *others]}


def _deaths(letter: Letter) -> list[dict[str, Any]]:
    found = letter.headers.get("x-death")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
