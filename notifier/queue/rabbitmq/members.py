"""Which nodes of a cluster hold the queues, and which lead them, as the management API tells."""

import re
import shlex
from dataclasses import dataclass

from notifier.notification.model import JsonValue
from notifier.notification.queueing import QueueMembers
from notifier.queue import topology
from notifier.queue.rabbitmq.management import Management

GROUP_SIZE = 3
"""So many members RabbitMQ gives a quorum queue, or as many as nodes run when it is declared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The nodes that run, and the members of the queues that there are."""

    vhost: str
    running: frozenset[str]
    queues: tuple[QueueMembers, ...]

    @property
    def nodes(self) -> frozenset[str]:
        """All nodes that are known: one that is down and holds nothing is not."""
        return self.running.union(*(queue.members for queue in self.queues))

    @property
    def has_several_nodes(self) -> bool:
        """Whether there is anything to be told of members."""
        return len(self.nodes) > 1

    def is_underreplicated(self, queue: QueueMembers) -> bool:
        """Whether the queue has fewer members than it would have if it were declared now.

        A member that is offline is one all the same.
        """
        return len(queue.members) < self._group_size

    def growing(self, queue: QueueMembers) -> str:
        """The command that gives the queue, and all that lack the same, the missing members."""
        others = sorted(self.running.difference(queue.members))
        pattern = topology.QUEUE_PATTERN
        if len(self.nodes) > GROUP_SIZE:
            pattern = f"^{re.escape(queue.name)}$"
        missing = self._group_size - len(queue.members)
        return " && ".join(self._growing_onto(node, pattern) for node in others[:missing])

    def _growing_onto(self, node: str, pattern: str) -> str:
        vhost = shlex.quote(f"^{re.escape(self.vhost)}$")
        return (
            f"rabbitmq-queues grow {node} all --vhost-pattern {vhost}"
            f" --queue-pattern {shlex.quote(pattern)}"
        )

    @property
    def _group_size(self) -> int:
        return min(GROUP_SIZE, len(self.nodes))


def find_cluster(management: Management) -> Cluster:
    """Ask for the nodes and the members of each queue.

    Raises:
        ManagementError: the management API does not answer, or refuses the user; as long as a node
            hangs and is not yet taken for down, it does not.
    """
    running = _running(management)
    found = (_find(management, name, running) for name in topology.QUEUES)
    queues = tuple(queue for queue in found if queue)
    return Cluster(vhost=management.vhost, running=running, queues=queues)


def _running(management: Management) -> frozenset[str]:
    """The nodes, as the vhost has them: /api/nodes is closed to a policymaker."""
    answer = management.get("vhosts")
    for vhost in answer if isinstance(answer, list) else []:
        if isinstance(vhost, dict) and vhost.get("name") == management.vhost:
            return frozenset(_names(vhost.get("cluster_state")))
    return frozenset()


def _find(management: Management, name: str, running: frozenset[str]) -> QueueMembers | None:
    found = management.get("queues", management.vhost, name)
    if not isinstance(found, dict):
        return None
    members = _names(found.get("members"))
    # "node" follows an election and comes seconds late, "leader" may stay what it was; "online" may
    # be there twice, and differ.
    leader = found.get("node", found.get("leader"))
    return QueueMembers(
        name=name,
        leader=leader if isinstance(leader, str) and leader in running else None,
        members=members,
        online=tuple(node for node in members if node in running),
    )


def _names(answer: JsonValue) -> tuple[str, ...]:
    return tuple(sorted(map(str, answer))) if isinstance(answer, list | dict) else ()
