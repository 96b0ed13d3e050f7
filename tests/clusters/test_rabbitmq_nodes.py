"""The cluster that other tests rely on is one, and its nodes fail as they are told."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pika
import pytest
from pika.adapters.utils.connection_workflow import AMQPConnectorStackTimeout

from tests.patience import AT_ALL_S
from tests.servers.cluster import Cluster, Member
from tests.servers.processes import wait_until

QUEUE = "kept"


@contextlib.contextmanager
def channel_at(member: Member, vhost_url: str) -> Iterator[Any]:
    parameters = pika.URLParameters(f"{member.url(vhost_url)}?stack_timeout=3&socket_timeout=3")
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel


def declare(member: Member, vhost_url: str) -> None:
    with channel_at(member, vhost_url) as channel:
        channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})


def publish(member: Member, vhost_url: str) -> None:
    with channel_at(member, vhost_url) as channel:
        persistent = pika.BasicProperties(delivery_mode=2)
        channel.basic_publish("", QUEUE, b"hello", persistent, mandatory=True)


def is_taken(member: Member, vhost_url: str) -> bool:
    try:
        publish(member, vhost_url)
    except pika.exceptions.NackError:
        return False
    return True


def test_a_queue_has_a_member_on_each_node_and_another_leader_when_its_own_is_killed(
    cluster: Cluster, vhost_url: str
) -> None:
    declare(cluster.members[1], vhost_url)
    leader = cluster.leader(vhost_url, QUEUE)
    one, other = cluster.others(leader)

    leader.kill()
    # On channels opened just after the death of a leader's node 3.10 refuses everything.
    wait_until(lambda: is_taken(one, vhost_url), timeout_s=AT_ALL_S, what="a publish")

    [place] = one.places(vhost_url).values()
    assert place.leader in {one.name, other.name}
    assert place.members == {member.name for member in cluster.members}
    assert other.sees() == {one.name, other.name}


def test_a_frozen_node_answers_nobody_until_it_is_thawed(cluster: Cluster, vhost_url: str) -> None:
    first, second, third = cluster.members
    declare(second, vhost_url)

    first.freeze()
    with pytest.raises(AMQPConnectorStackTimeout):
        declare(first, vhost_url)
    first.thaw()

    publish(first, vhost_url)
    assert third.sees() == {member.name for member in cluster.members}


def test_a_node_that_is_drained_and_restarted_is_a_member_again(
    cluster: Cluster, vhost_url: str
) -> None:
    declare(cluster.members[0], vhost_url)
    leader = cluster.leader(vhost_url, QUEUE)

    leader.await_quorum()
    leader.drain()
    publish(cluster.others(leader)[0], vhost_url)
    leader.stop()
    leader.start()

    publish(leader, vhost_url)
    assert leader.sees() == {member.name for member in cluster.members}
