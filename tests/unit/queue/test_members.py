from notifier.notification.queueing import QueueMembers
from notifier.queue.rabbitmq.members import Cluster


def queue(*members: str, name: str = "sms_notifications.high") -> QueueMembers:
    return QueueMembers(name=name, leader=members[0], members=members, online=members)


def cluster(*running: str, queues: tuple[QueueMembers, ...] = (), vhost: str = "/") -> Cluster:
    return Cluster(vhost=vhost, running=frozenset(running), queues=queues)


def test_one_node_has_no_members_to_tell_of() -> None:
    alone = cluster("c1", queues=(queue("c1"),))

    assert not alone.has_several_nodes
    assert not alone.is_underreplicated(queue("c1"))


def test_a_queue_wants_as_many_members_as_there_are_nodes_up_to_three() -> None:
    assert cluster("c1", "c2").is_underreplicated(queue("c1"))
    assert not cluster("c1", "c2").is_underreplicated(queue("c1", "c2"))
    assert cluster("c1", "c2", "c3").is_underreplicated(queue("c1", "c2"))
    assert not cluster("c1", "c2", "c3", "c4", "c5").is_underreplicated(queue("c1", "c4", "c5"))


def test_a_member_that_is_offline_is_not_missing() -> None:
    whole = queue("c1", "c2", "c3")
    remaining = cluster("c1", "c2", queues=(whole,))

    assert remaining.nodes == {"c1", "c2", "c3"}
    assert not remaining.is_underreplicated(whole)


def test_a_queue_grows_onto_the_nodes_that_run_and_lack_it_as_all_of_ours_do() -> None:
    lacking = queue("c1")

    assert cluster("c1", "c2", "c3", vhost="shop.eu").growing(lacking) == (
        r"rabbitmq-queues grow c2 all --vhost-pattern '^shop\.eu$'"
        r" --queue-pattern '^(email|sms|in_app)_notifications(\.high|\.bulk|\.dead)?$'"
        r" && rabbitmq-queues grow c3 all --vhost-pattern '^shop\.eu$'"
        r" --queue-pattern '^(email|sms|in_app)_notifications(\.high|\.bulk|\.dead)?$'"
    )


def test_of_more_than_three_nodes_others_may_hold_other_queues() -> None:
    lacking = queue("c1", "c4")

    assert cluster("c1", "c2", "c3", "c4", "c5").growing(lacking) == (
        r"rabbitmq-queues grow c2 all --vhost-pattern '^/$'"
        r" --queue-pattern '^sms_notifications\.high$'"
    )
