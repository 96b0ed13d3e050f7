"""How long others are given, and how much is done at once."""

from dataclasses import dataclass

from notifier.audience.pseudonym import Pseudonyms
from notifier.store.kit.seals import Seals


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """How long others are given before a relay takes over, and the size of batches.

    A notification that its API has not published, and a failure that its worker has not buried,
    are left to a relay after `grace_s`; a published one is taken for lost after `lost_after_s`,
    and ever more rarely where that does not help, or after `missing_after_s` where there are more
    of them than the broker can hold.
    """

    grace_s: float = 5
    lost_after_s: float = 60
    missing_after_s: float = 10
    gather_s: float = 0.01
    """How long those who claim, finish and publish wait for others, right after a batch of them."""
    max_batch: int = 200
    max_insert: int = 1_000
    events_kept_days: float = 7
    """Events, what came of them, and digests are forgotten after that."""
    failed_digests_kept_days: float = 30
    """But not before that if nothing could be sent of them."""
    schedule_runs_kept_days: float = 90
    audit_kept_days: float = 400
    replays_kept_days: float = 90
    pseudonyms: Pseudonyms | None = None
    """By which an address is known that was erased; None: nothing is accepted by these."""
    seals: Seals | None = None
    """Under which the content of sensitive notifications rests; None: it is stored as it is."""
    default_zone: str = "UTC"
    """Where the clocks are of people of whom the directory does not say."""
