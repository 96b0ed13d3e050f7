"""What waits in the queues, for the operator's commands."""

from collections.abc import Sequence

from notifier.notification.queueing import QueueDepth
from notifier.queue import topology
from notifier.queue.rabbitmq.topology import State, connected, find_queue


def queue_depths(amqp_url: str) -> Sequence[QueueDepth]:
    """What waits in each queue, and for how many consumers; one that is missing is left out.

    Raises:
        QueueUnavailableError: the broker does not answer or refuses the user.
    """
    depths = []
    with connected(amqp_url) as connection:
        for spec in topology.QUEUES.values():
            if find_queue(connection, spec.name).state is State.FOUND:
                channel = connection.channel()
                found = channel.queue_declare(spec.name, passive=True).method
                depths.append(spec.depth(found.message_count, found.consumer_count))
                channel.close()
    return depths
