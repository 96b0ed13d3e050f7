"""How well processes know the time."""

from tests.simulation.ended import Ended
from tests.simulation.plan import STOPPING, Kind

EXACT_S = 3.0
"""How well a process knows the database's time."""
_MEASURED_S = 16.0
"""How long after its clock, or itself, was set it knows the time."""


def may_be_off(ended: Ended, at_s: float) -> bool:
    """Whether a machine with a wrong clock may not have asked the database for the time yet."""
    if not any(each.kind is Kind.CLOCK and each.at_s <= at_s for each in ended.happenings):
        return False
    return any(
        each.at_s > at_s - _MEASURED_S
        if each.kind is Kind.CLOCK
        else each.kind in STOPPING and each.overlaps(at_s - _MEASURED_S, at_s)
        for each in ended.happenings
    )
