"""A worker is killed, another one hangs: both are replaced within seconds, and nothing is lost."""

import os
import signal
from functools import partial
from pathlib import Path

from notifier.notification.model import Status
from tests.awake import AwakeClock
from tests.e2e.processes import workers_of
from tests.faults.runner import host
from tests.faults.workers import Care, Journal, Plan, Site, open_site, relaying, spawned, until
from tests.servers.postgres import Postgres
from tests.servers.rabbitmq import RabbitMq, vhost_of

PROCESSES = 2
HUNG_AFTER_S = 4
BATCH = 10
LEASE_S = 60


def zombies() -> list[int]:
    """Children of this process that ended and were not waited for."""
    stats = (stat.read_text() for stat in Path("/proc").glob("[0-9]*/stat") if stat.exists())
    ended = (stat.partition(" ")[0] for stat in stats if is_zombie(stat))
    return [int(pid) for pid in ended]


def is_zombie(stat: str) -> bool:
    state, parent = stat.rpartition(")")[2].split()[:2]
    return state == "Z" and int(parent) == os.getpid()


async def are_all_waited_for() -> bool:
    return not zombies()


async def are_gone(pids: set[int]) -> bool:
    return pids.isdisjoint(workers_of(os.getpid()))


async def delivering(site: Site, journal: Journal) -> set[int]:
    """Send until all the workers there are have delivered; returns those.

    On a busy machine one may be taken for hung and replaced meanwhile: those before are no matter.
    """
    found: set[int] = set()

    async def all_have_delivered() -> bool:
        await site.send(BATCH)
        found.clear()
        found.update(journal.workers().intersection(workers_of(os.getpid())))
        return len(found) >= PROCESSES

    await until(all_have_delivered)
    return found


async def test_killed_and_hung_workers_are_replaced_and_nothing_is_lost(
    postgres: Postgres, amqp_url: str, tmp_path: Path, awake: AwakeClock
) -> None:
    journal = Journal(tmp_path / "journal")
    care = Care(processes=PROCESSES, hung_after_s=HUNG_AFTER_S)
    async with open_site(postgres, amqp_url) as site, relaying(site) as relay:
        plan = Plan(database_url=site.database_url, amqp_url=amqp_url, journal=journal.path)
        async with spawned(site, relay, plan, care) as flock:
            killed, hung, *_ = await delivering(site, journal)
            os.kill(killed, signal.SIGKILL)
            os.kill(hung, signal.SIGSTOP)
            struck_s = awake.monotonic_s()
            await until(partial(are_gone, {killed, hung}))
            gone_s = awake.monotonic_s() - struck_s
            await flock.has_lost(2)

            async def are_all_there() -> bool:
                return len(workers_of(os.getpid())) == PROCESSES

            await until(are_all_there)
            await until(are_all_waited_for)
            others = await delivering(site, journal)
            accepted = (await site.states()).total()
            states = await site.settled(accepted)
        account = await site.stores.queries.account(service=None)

    assert gone_s < HUNG_AFTER_S + 10
    assert len(others) == PROCESSES
    assert states == {Status.SENT: accepted}
    handed = journal.read()
    assert len(handed) == accepted
    assert handed.total() - len(handed) <= account.outcome_unknown


def test_what_a_killed_worker_held_is_sent_long_before_its_lease_ends(
    postgres: Postgres, rabbitmq: RabbitMq, awake: AwakeClock
) -> None:
    with host(postgres, rabbitmq) as here:
        here.outside.smtp.delay("DATA", LEASE_S, times=1)
        with here.runner() as runner:
            here.send(1)
            here.await_processing()
            killed_s = awake.monotonic_s()
            for child in workers_of(runner.pid):
                os.kill(child, signal.SIGKILL)
            here.await_sent(1)
            took_s = awake.monotonic_s() - killed_s

        assert took_s < LEASE_S / 2


def test_a_worker_that_may_no_longer_consume_ends_itself_and_is_replaced(
    postgres: Postgres, rabbitmq: RabbitMq
) -> None:
    with host(postgres, rabbitmq) as here:
        vhost = vhost_of(here.outside.amqp_url)
        rights = ("permissions", vhost, rabbitmq.user)
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        with here.runner() as runner:
            unreadable = {**everything, "read": "^email_notifications.high$"}
            rabbitmq.management.call("PUT", *rights, body=unreadable)
            rabbitmq.ctl("close_all_connections", "--vhost", vhost, "gone")

            died = runner.line('"child.died"')
            rabbitmq.management.call("PUT", *rights, body=everything)
            here.await_starts(runner, PROCESSES + 1)
            here.send(3)
            here.await_sent(3)

        assert '"exit_code":1' in died.string
        assert "do not consume" in runner.output
