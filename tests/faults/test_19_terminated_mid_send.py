"""SIGTERM while mails are being sent: those end and are recorded, the others are given back."""

import os
import signal
import time
from collections import Counter

from notifier.notification.model import Status
from tests.e2e.processes import workers_of
from tests.faults.runner import GRACE_S, PROCESSES, host
from tests.servers.postgres import Postgres
from tests.servers.rabbitmq import RabbitMq

COUNT = 60
BACKLOG = 1_000
IN_FLIGHT_S = 0.5


def test_a_stop_mid_send_doubles_and_loses_nothing(postgres: Postgres, rabbitmq: RabbitMq) -> None:
    with host(postgres, rabbitmq) as here:
        here.outside.smtp.delay("DATA", 0.4, times=COUNT - 20)
        ids = here.send(COUNT)
        with here.runner() as runner:
            here.await_mails(1)
            for child in workers_of(runner.pid):
                os.kill(child, signal.SIGTERM)
            here.await_starts(runner, 2 * PROCESSES)
            here.await_processing()
            stopped_s = time.monotonic()
            code = runner.stop()
            took_s = time.monotonic() - stopped_s
        left = here.states()
        here.await_ready(left[Status.PENDING])
        with here.runner():
            here.await_sent(COUNT)

        assert code == 0
        assert took_s < GRACE_S
        assert set(left) <= {Status.SENT, Status.PENDING}
        assert Counter(here.outside.mailed()) == Counter(map(str, ids))
        assert here.unknown() == 0


def test_a_stop_of_many_consumers_gives_back_once_what_nobody_touched(
    postgres: Postgres, rabbitmq: RabbitMq
) -> None:
    with host(postgres, rabbitmq, slots=64) as here:
        here.outside.smtp.delay("DATA", IN_FLIGHT_S)
        here.send(BACKLOG)
        with here.runner() as runner:
            here.await_mails(PROCESSES * 64)
            stopped_s = time.monotonic()
            code = runner.stop()
            took_s = time.monotonic() - stopped_s
        left = here.states()
        here.await_ready(left[Status.PENDING])

        assert code == 0
        assert took_s < GRACE_S
        assert set(left) <= {Status.SENT, Status.PENDING}
        assert left[Status.SENT] == len(here.outside.mailed())
        assert here.dead() == 0
        assert here.returns() <= 2
        assert here.unknown() == 0
