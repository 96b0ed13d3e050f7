"""How long a stop may take: the one place that adds it up."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StopBudget:
    """The steps of a stop, in their order, and the seconds that each may take.

    A worker cancels its consumers (`pause_s`), lets what is in flight end (`grace_s`), waits for
    claims that are under way then (`claim_s`), records what it cuts off (`record_s`), publishes
    what still waits for that (`drain_s`) and closes its connections (`close_s`). Its runner then
    ends what leases are left (`leases_s`), and publishes and closes as well.
    """

    grace_s: float
    pause_s: float = 3
    claim_s: float = 3
    record_s: float = 10
    drain_s: float = 5
    close_s: float = 5
    leases_s: float = 9

    @property
    def worker_s(self) -> float:
        """What a runner gives its workers before it kills them."""
        in_flight_s = self.pause_s + self.grace_s + self.claim_s + self.record_s
        return in_flight_s + self.drain_s + self.close_s

    @property
    def runner_s(self) -> float:
        """What to give a runner before it is killed."""
        return self.worker_s + self.leases_s + self.drain_s + self.close_s
