"""How long tests wait."""

from dataclasses import replace

from notifier.queue.rabbitmq.connection import RabbitSettings
from notifier.store.kit.database import Patience

AT_ALL_S = 120
"""For what must happen at all, however slow the machine: only a hang takes as long."""

USUAL = Patience()
"""For a database, as in production: for tests of what becomes of those who wait too long."""

PATIENT = USUAL.times(10)
"""For all others: the disk and the processors may be busy with much else."""

BROKER_IS_THERE = RabbitSettings(
    connection_name="test", heartbeat_s=60, publish_timeout_s=30, call_timeout_s=30, watch_s=0.5
)
"""For a broker that always answers: a machine that stands still for seconds is no lost broker."""

HASTY = replace(PATIENT, lock_s=0.3, statement_s=3)
"""Gives up soon what another transaction holds, and waits long for the answer that it does."""
