"""Settings of the relay."""

from pydantic import Field

from notifier.settings.reading import Group, Seconds


class RelaySettings(Group):
    """The relay."""

    enabled: bool = Field(
        default=True,
        description="Whether this worker runner has a relay. Without one anywhere, nothing is "
        "retried, nothing is sent at its time, and what a failure leaves behind stays there; "
        "`./scripts/chaos --without-relay` shows it.",
    )
    due_every_s: Seconds = Field(1, description="Seconds between two looks for due notifications.")
    repair_every_s: Seconds = Field(
        15,
        description="Seconds between two sweeps of the dead queues: for letters of what was "
        "replayed, and for what is pending although the broker gave its message up.",
    )
    broadcasts_ahead: int = Field(
        20_000,
        ge=1_000,
        description="How many notifications of a service may wait for a queue before its "
        "broadcasts go no further: so the queue stays small, and a broadcast that is cancelled "
        "has little to take back.",
    )
    schedules_every_s: Seconds = Field(
        60,
        ge=1,
        description="Seconds between two looks for schedules that are due.",
    )
    schedule_runs_kept_days: int = Field(
        90,
        ge=1,
        le=3_650,
        description="Days that a run of a schedule is kept: what became of each slot.",
    )
    replays_kept_days: int = Field(
        90,
        ge=1,
        le=3_650,
        description="Days that a [replay](dead-letters.md) is kept once it ended: for so long it "
        "can be undone.",
    )
    publish_grace_s: Seconds = Field(
        5,
        description="Seconds that the API has to publish what it accepted, before the relay does.",
    )
    lost_after_s: Seconds = Field(
        60,
        description="Seconds after which a published notification that nobody claimed counts as "
        "lost, if its queue is empty. It is published again, each time after as long as it has "
        "waited by then, and at most ten times this.",
    )
