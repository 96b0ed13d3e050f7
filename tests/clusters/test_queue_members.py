"""Which nodes hold the queues: made on a whole cluster, and before one of its nodes joined."""

import shlex

from structlog.testing import capture_logs

from notifier.queue import topology
from notifier.queue.rabbitmq.policies import TopologyWatch
from notifier.queue.rabbitmq.topology import Item, State, apply_topology, check_topology
from tests.servers.cluster import Cluster, Member


def members(items: tuple[Item, ...]) -> dict[str, Item]:
    return {item.name: item for item in items if item.kind == "members"}


def run(command: str, on: Member) -> None:
    for part in command.split(" && "):
        on.run(*shlex.split(part))


def join_late(node: Member, others: Cluster, vhost_url: str) -> None:
    """Let `node` join the others once the queues are made."""
    node.ctl("stop_app")
    node.ctl("reset")
    apply_topology(vhost_url, others.members[0].broker.management_url)
    node.ctl("start_app")
    others.await_whole()


def test_queues_made_on_a_whole_cluster_are_held_by_all_and_led_by_several(
    cluster: Cluster, vhost_url: str
) -> None:
    first, *_ = cluster.members

    told = members(apply_topology(vhost_url, first.broker.management_url).items)

    places = first.places(vhost_url)
    assert told.keys() == topology.QUEUES.keys()
    assert {item.state for item in told.values()} == {State.FOUND}
    for name, item in told.items():
        holding = ", ".join(sorted(places[name].members))
        assert item.detail == f"leader {places[name].leader}; members {holding}"
        assert len(places[name].members) == 3
    # Without the policy the node that is asked leads all of them.
    assert len({place.leader for place in places.values()}) > 1


def test_a_node_that_joins_late_holds_nothing_until_the_command_was_run(
    cluster: Cluster, vhost_url: str
) -> None:
    first, _, late = cluster.members
    join_late(late, cluster, vhost_url)

    report = check_topology(vhost_url, first.broker.management_url)

    found = members(report.items)
    assert not report.is_complete
    assert {item.state for item in found.values()} == {State.FAILED}
    told, _, command = (found["email_notifications"].detail or "").partition("; run: ")
    assert told == "2 of 3 nodes hold it: c1@localhost, c2@localhost"
    run(command, on=first)
    assert check_topology(vhost_url, first.broker.management_url).is_complete
    assert {len(place.members) for place in first.places(vhost_url).values()} == {3}


def test_a_member_that_is_down_is_offline_and_not_missing(cluster: Cluster, vhost_url: str) -> None:
    first, _, gone = cluster.members
    apply_topology(vhost_url, first.broker.management_url)
    gone.kill()

    report = check_topology(vhost_url, first.broker.management_url)

    assert report.is_complete
    details = [item.detail or "" for item in members(report.items).values()]
    assert len(details) == len(topology.QUEUES)
    assert all(detail.endswith(f"; offline {gone.name}") for detail in details)
    assert not any(detail.startswith(f"leader {gone.name}") for detail in details)


async def test_the_watch_tells_once_of_a_queue_that_lacks_members_and_once_that_it_has_them(
    cluster: Cluster, vhost_url: str
) -> None:
    first, _, late = cluster.members
    join_late(late, cluster, vhost_url)
    watch = TopologyWatch(vhost_url, first.broker.management_url)

    with capture_logs() as lacking:
        await watch.look()
        await watch.look()
    run(lacking[0]["remedy"], on=first)
    with capture_logs() as healed:
        await watch.look()
        await watch.look()

    assert {log["event"] for log in lacking} == {"queue.underreplicated"}
    assert sorted(log["queue"] for log in lacking) == sorted(topology.QUEUES)
    assert {log["event"] for log in healed} == {"queue.replicated"}
    assert len(healed) == len(topology.QUEUES)
    assert {len(queue.online) for queue in watch.members} == {3}


async def test_while_a_node_hangs_the_policies_are_seen_and_the_members_are_not(
    cluster: Cluster, vhost_url: str
) -> None:
    first, _, hanging = cluster.members
    apply_topology(vhost_url, first.broker.management_url)
    watch = TopologyWatch(vhost_url, first.broker.management_url)
    hanging.freeze()

    with capture_logs() as logs:
        await watch.look()
        await watch.look()

    assert [log["event"] for log in logs] == ["queue.members_not_seen"]
    assert watch.is_ok
    assert watch.members == ()
