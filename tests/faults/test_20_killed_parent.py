"""SIGKILL of a runner: its children end by themselves, and a new runner has exactly its own."""

import signal
from collections import Counter

from tests.e2e.processes import await_gone, children_of, workers_of
from tests.faults.runner import CONSUMERS, PROCESSES, host
from tests.patience import AT_ALL_S
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_until
from tests.servers.rabbitmq import RabbitMq

COUNT = 30


def test_a_killed_runner_leaves_no_consumers_and_a_new_one_has_its_own(
    postgres: Postgres, rabbitmq: RabbitMq
) -> None:
    with host(postgres, rabbitmq) as here:
        here.outside.smtp.delay("DATA", 0.4, times=8)
        with here.runner() as runner:
            ids = here.send(COUNT)
            here.await_mails(1)
            children = children_of(runner.pid)
            assert len(workers_of(runner.pid)) == PROCESSES
            runner.stop(signal.SIGKILL)
            await_gone(children, timeout_s=AT_ALL_S)
        wait_until(lambda: not any(here.consumers()), timeout_s=AT_ALL_S, what="no consumers")
        with here.runner() as runner:
            here.await_sent(COUNT)
            workers = len(workers_of(runner.pid))
            consumers = here.consumers()

        assert workers == PROCESSES
        assert consumers == [PROCESSES * CONSUMERS] * 3
        assert Counter(here.outside.mailed()) == Counter(map(str, ids))
