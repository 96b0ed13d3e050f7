"""Watching the broker's policies and the members of its queues: no error would ever tell."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

import structlog

from notifier.notification.queueing import QueueMembers
from notifier.queue.rabbitmq import topology
from notifier.queue.rabbitmq.management import ManagementError
from notifier.queue.rabbitmq.members import Cluster

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")
Question: TypeAlias = Callable[[str, str | None], Answer]
Warn: TypeAlias = Callable[[str], None]


class TopologyWatch:
    """Asks the management API every `every_s` seconds, and logs what is not as it must be.

    `is_ok` tells of the policies, `members` of the queues of a cluster. They are None and empty
    while nobody could look: the management API is away, or refuses the user.
    """

    def __init__(self, amqp_url: str, management_url: str | None, *, every_s: float = 60) -> None:
        self._urls = (amqp_url, management_url)
        self._every_s = every_s
        self._unseen: set[Warn] = set()
        self._underreplicated: set[str] = set()
        self.is_ok: bool | None = None
        self.members: Sequence[QueueMembers] = ()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        """Look once. Blindness and what becomes of members are logged once, a lack each time."""
        lacking = await self._ask(topology.policies_lacking, _warn_of_unseen_policies)
        self._judge_policies(lacking)
        if lacking is None:
            self._judge_members(None)
        else:
            self._judge_members(await self._ask(topology.cluster, _warn_of_unseen_members))

    async def _ask(self, question: Question[Answer], unseen: Warn) -> Answer | None:
        try:
            answer = await asyncio.to_thread(question, *self._urls)
        except ManagementError as error:
            if unseen not in self._unseen:
                unseen(str(error))
            self._unseen.add(unseen)
            return None
        self._unseen.discard(unseen)
        return answer

    def _judge_policies(self, lacking: Sequence[topology.Item] | None) -> None:
        for item in lacking or ():
            log.error("topology.policy_lacking", policy=item.name, detail=item.detail)
        if lacking == [] and self.is_ok is False:
            log.info("topology.policies_in_effect")
        self.is_ok = None if lacking is None else not lacking

    def _judge_members(self, found: Cluster | None) -> None:
        self.members = found.queues if found and found.has_several_nodes else ()
        if found is None:
            return
        lacking = {queue.name: queue for queue in found.queues if found.is_underreplicated(queue)}
        for name in lacking.keys() - self._underreplicated:
            log.error(
                "queue.underreplicated",
                queue=name,
                members=lacking[name].members,
                nodes=len(found.nodes),
                remedy=found.growing(lacking[name]),
            )
        for name in self._underreplicated - lacking.keys():
            log.info("queue.replicated", queue=name)
        self._underreplicated = set(lacking)


def _warn_of_unseen_policies(reason: str) -> None:
    log.warning("topology.policies_not_seen", reason=reason)


def _warn_of_unseen_members(reason: str) -> None:
    log.warning("queue.members_not_seen", reason=reason)
