"""What becomes of a message that dies, and what its letter says."""

from datetime import UTC, datetime
from typing import Any

from pamqp.common import FieldTable

from tests.simulation.broker import frames
from tests.simulation.broker.letter import Letter
from tests.simulation.broker.policies import QueueRules
from tests.simulation.broker.versions import Told, Version

REJECTED = "rejected"


def dead_letter(
    letter: Letter, queue: str, reason: str, *, rules: QueueRules, at_s: float, version: Version
) -> Letter:
    """The dead letter of a message that died in a queue with a dead-letter exchange."""
    assert rules.dead_exchange is not None
    failures = _failures(letter, reason, version)
    counts = _counts(failures, version)
    headers = {**letter.headers, **counts, **_deaths(letter, queue, reason, at_s, version)}
    return Letter(
        rules.dead_exchange,
        letter.routing_key if rules.dead_key is None else rules.dead_key,
        frames.with_headers(letter.properties, headers),
        letter.body,
        was_dead=True,
        tells_of_deliveries=bool(counts),
        failures=failures if version.told_by_letters is Told.FAILURES else 0,
    )


def _failures(letter: Letter, reason: str, version: Version) -> int:
    """How many failed deliveries are told of."""
    is_rejected = reason == REJECTED
    match version.told_by_letters:
        case Told.NOTHING:
            return 0
        case Told.REJECTION:
            return int(is_rejected)
        case Told.FAILURES:
            return letter.failures + is_rejected


def _counts(failures: int, version: Version) -> FieldTable:
    if not failures:
        return {}
    counts: FieldTable = {"x-delivery-count": failures}
    if not version.counts_nacks:
        counts["x-acquired-count"] = failures
    return counts


def _deaths(
    letter: Letter, queue: str, reason: str, at_s: float, version: Version
) -> dict[str, Any]:
    """Tell of this death and of those before it: each queue and reason once."""
    before = _deaths_before(letter) if version.trusts_deaths or letter.was_dead else []
    same = [each for each in before if (each["queue"], each["reason"]) == (queue, reason)]
    others = [each for each in before if each not in same]
    told = {"queue": queue, "reason": reason, "exchange": letter.exchange}
    death: dict[str, Any] = {
        **told,
        "count": same[0]["count"] + 1 if same else 1,
        "time": same[0]["time"] if same else datetime.fromtimestamp(int(at_s), UTC),
        "routing-keys": [letter.routing_key],
    }
    headers: dict[str, Any] = {"x-death": [death, *others]}
    if not before:
        headers |= {f"x-first-death-{name}": value for name, value in told.items()}
    if version.tells_last_death:
        headers |= {f"x-last-death-{name}": value for name, value in told.items()}
    return headers


def _deaths_before(letter: Letter) -> list[dict[str, Any]]:
    found = letter.headers.get("x-death")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
