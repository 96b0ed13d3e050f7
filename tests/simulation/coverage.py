"""What was tried: each transition under each kind of fault."""

from collections import Counter
from datetime import datetime

from tests.simulation.ended import Ended
from tests.simulation.epoch import EPOCH_S

_AFTER_S = 5.0


def covered(ended: Ended) -> Counter[tuple[str, str]]:
    """Count the transitions that were taken while a fault went on, or just after it."""
    found: Counter[tuple[str, str]] = Counter()
    for row in ended.timeline:
        at_s = datetime.fromisoformat(row["at"]).timestamp() - EPOCH_S
        kinds = {
            each.kind.value for each in ended.happenings if each.overlaps(at_s - _AFTER_S, at_s)
        }
        found.update((row["event"], kind) for kind in kinds)
    return found
