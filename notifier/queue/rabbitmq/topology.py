"""The operator's side of the broker: making the topology, checking it, counting dead letters.

Synchronous, for commands. A step that cannot be taken is an item of the report; only a broker
that does not answer, and a queue that is in the way, are errors.
"""

import json
import re
import shlex
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError, ChannelClosedByBroker, ConnectionClosedByBroker

from notifier.errors import QueueUnavailableError, TopologyError
from notifier.notification.model import Channel, JsonValue
from notifier.notification.queueing import QueueMembers
from notifier.queue import topology
from notifier.queue.rabbitmq import reasons
from notifier.queue.rabbitmq.address import BrokerAddress, Endpoint, parse_broker
from notifier.queue.rabbitmq.event_entities import EventQueueSpec
from notifier.queue.rabbitmq.management import Management, ManagementError
from notifier.queue.rabbitmq.members import Cluster, find_cluster
from notifier.queue.topology import Policy, QueueSpec

TIMEOUT_S = 5
NOT_FOUND = 404
OTHER_ARGUMENTS = 406

Connection: TypeAlias = pika.BlockingConnection
Found: TypeAlias = dict[str, JsonValue]


class State(StrEnum):
    """What became of one part of the topology."""

    MADE = "made"
    FOUND = "found"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One exchange, queue or policy, or a queue's members; `detail` says what is to be known."""

    kind: str
    name: str
    state: State
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class TopologyReport:
    """What was made, found or failed."""

    items: tuple[Item, ...]

    @property
    def is_complete(self) -> bool:
        """Whether the broker has all that notifier needs."""
        return all(item.state is not State.FAILED for item in self.items)


def apply_topology(amqp_url: str, management_url: str | None = None) -> TopologyReport:
    """Make what is missing: exchanges, queues, bindings and policies; idempotent.

    Policies go through the management API, at `management_url` or at its usual port on the
    broker's host. In a cluster it also tells of the queues' members, which are not changed.

    Raises:
        QueueUnavailableError: the broker does not answer or refuses the user.
        TopologyError: an exchange or queue exists otherwise, or the user may not make it; the
            message names it and says what to do.
    """
    management = Management.of(amqp_url, management_url)
    with connected(amqp_url) as connection:
        exchanges = [apply_exchange(connection, name) for name in topology.EXCHANGES]
        policies = [apply_policy(management, policy) for policy in topology.POLICIES]
        queues = [apply_queue(connection, spec) for spec in topology.QUEUES.values()]
    return TopologyReport((*exchanges, *policies, *queues, *_find_members(management)))


def check_topology(amqp_url: str, management_url: str | None = None) -> TopologyReport:
    """Look whether everything is there and the policies are in effect; changes nothing.

    At most one policy applies to a queue: one of the operator's own with a higher priority takes
    the place of ours.

    Raises:
        QueueUnavailableError: as `apply_topology`.
    """
    with connected(amqp_url) as connection:
        exchanges = [find_exchange(connection, name) for name in topology.EXCHANGES]
        queues = [find_queue(connection, name) for name in topology.QUEUES]
    management = Management.of(amqp_url, management_url)
    effects, members = _find_effects(management), _find_members(management)
    return TopologyReport((*exchanges, *queues, *effects, *members))


def policies_lacking(amqp_url: str, management_url: str | None = None) -> list[Item]:
    """Look which policies are not in effect, and on which queues; asks nothing but management.

    Raises:
        ManagementError: the management API does not answer, or refuses the user.
    """
    effects = _effects(Management.of(amqp_url, management_url))
    return [item for item in effects if item.state is State.FAILED]


def cluster(amqp_url: str, management_url: str | None = None) -> Cluster:
    """Look which nodes hold the queues; asks nothing but management.

    Raises:
        ManagementError: as `policies_lacking`.
    """
    return find_cluster(Management.of(amqp_url, management_url))


def dead_queue_depths(amqp_url: str) -> Mapping[Channel, int]:
    """Dead letters ready in each channel's dead queue; a queue that is missing is left out.

    Raises:
        QueueUnavailableError: as `apply_topology`.
    """
    depths: dict[Channel, int] = {}
    with connected(amqp_url) as connection:
        for spec in topology.DEAD_QUEUES:
            if _queue_exists(connection, spec.name):
                with _channel(connection) as channel:
                    found = channel.queue_declare(spec.name, passive=True)
                    depths[spec.channel] = found.method.message_count
    return depths


_POLICED = tuple(zip(topology.POLICIES, (topology.WORK_QUEUES, topology.DEAD_QUEUES), strict=True))


@contextmanager
def connected(amqp_url: str) -> Iterator[Connection]:
    """Connect to the broker for the length of the block; raises QueueUnavailableError."""
    endpoint, connection = _first_connection(parse_broker(amqp_url))
    try:
        yield connection
    except ConnectionClosedByBroker as error:
        told = f"{error.reply_code} {error.reply_text}"
        raise QueueUnavailableError(
            f"the broker at {endpoint} ended the connection: {told}"
        ) from error
    except AMQPError as error:
        raise QueueUnavailableError(f"the broker at {endpoint} went away") from error
    finally:
        if connection.is_open:
            connection.close()


def _first_connection(at: BrokerAddress) -> tuple[Endpoint, Connection]:
    tls = at.tls()
    problems = []
    for endpoint in at.endpoints:
        try:
            return endpoint, _connect(at, endpoint, tls)
        # pika lets its own time-outs out as they are.
        except (AMQPError, AMQPConnectorException, OSError) as error:
            problems.append(f"at {endpoint}: {reasons.of_connecting(error)}")
    raise QueueUnavailableError(f"no broker to be had {'; '.join(problems)}")


def _connect(at: BrokerAddress, endpoint: Endpoint, tls: ssl.SSLContext | None) -> Connection:
    return pika.BlockingConnection(
        pika.ConnectionParameters(
            host=endpoint.host,
            port=endpoint.port,
            virtual_host=at.vhost,
            credentials=pika.PlainCredentials(at.user, at.password),
            ssl_options=pika.SSLOptions(tls, endpoint.host) if tls else None,
            socket_timeout=TIMEOUT_S,
            stack_timeout=TIMEOUT_S,
            blocked_connection_timeout=TIMEOUT_S,
        )
    )


@contextmanager
def _channel(connection: Connection) -> Iterator[BlockingChannel]:
    channel = connection.channel()
    try:
        yield channel
    finally:
        if channel.is_open:
            channel.close()


def _exists(connection: Connection, find: Callable[[BlockingChannel], object]) -> bool:
    try:
        with _channel(connection) as channel:
            find(channel)
    except ChannelClosedByBroker as error:
        if error.reply_code != NOT_FOUND:
            raise
        return False
    return True


def _exchange_exists(connection: Connection, name: str) -> bool:
    return _exists(connection, lambda channel: channel.exchange_declare(name, passive=True))


def _queue_exists(connection: Connection, name: str) -> bool:
    return _exists(connection, lambda channel: channel.queue_declare(name, passive=True))


def apply_exchange(connection: Connection, name: str, type: str = topology.EXCHANGE_TYPE) -> Item:
    """Make an exchange if it is missing; raises TopologyError."""
    state = State.FOUND if _exchange_exists(connection, name) else State.MADE
    with _refusals_explained("exchange", name), _channel(connection) as channel:
        channel.exchange_declare(name, type, durable=True)
    return Item(kind="exchange", name=name, state=state)


def apply_queue(connection: Connection, spec: QueueSpec | EventQueueSpec) -> Item:
    """Make a queue and its bindings if they are missing; raises TopologyError."""
    state = State.FOUND if _queue_exists(connection, spec.name) else State.MADE
    with _refusals_explained("queue", spec.name), _channel(connection) as channel:
        channel.queue_declare(spec.name, durable=True, arguments=dict(topology.QUEUE_ARGUMENTS))
        for key in spec.routing_keys:
            channel.queue_bind(spec.name, spec.exchange, key)
    return Item(kind="queue", name=spec.name, state=state)


@contextmanager
def _refusals_explained(kind: str, name: str) -> Iterator[None]:
    try:
        yield
    except ChannelClosedByBroker as error:
        what = f"{kind} {name}: {error.reply_text}"
        if error.reply_code == OTHER_ARGUMENTS:
            remedy = (
                "Move its messages elsewhere, delete it, and run again: notifier topology apply"
            )
        else:
            remedy = "Give the user the right to configure, write and read it, or use another user"
        raise TopologyError(f"{what}. {remedy}") from error


def apply_policy(management: Management, policy: Policy) -> Item:
    """Make a policy if it is missing or says something else."""
    path = ("policies", management.vhost, policy.name)
    wanted = _policy_body(policy)
    try:
        found = management.get(*path)
        if isinstance(found, dict) and found | wanted == found:
            return Item(kind="policy", name=policy.name, state=State.FOUND)
        management.put(*path, body=wanted)
    except ManagementError as error:
        detail = f"{error}. {_by_hand(management.vhost, policy)}"
        return Item(kind="policy", name=policy.name, state=State.FAILED, detail=detail)
    return Item(kind="policy", name=policy.name, state=State.MADE)


def _policy_body(policy: Policy) -> dict[str, JsonValue]:
    return {
        "pattern": policy.pattern,
        "definition": {**policy.definition, **policy.preferences},
        "priority": policy.priority,
        "apply-to": policy.apply_to,
    }


def _by_hand(vhost: str, policy: Policy) -> str:
    definition = json.dumps({**policy.definition, **policy.preferences})
    return (
        f"By hand: rabbitmqctl set_policy -p {shlex.quote(vhost)} --priority {policy.priority}"
        f" --apply-to {policy.apply_to} {policy.name} '{policy.pattern}' '{definition}'"
    )


def find_exchange(connection: Connection, name: str) -> Item:
    """Say whether an exchange is there."""
    return _found("exchange", name, is_there=_exchange_exists(connection, name))


def find_queue(connection: Connection, name: str) -> Item:
    """Say whether a queue is there."""
    return _found("queue", name, is_there=_queue_exists(connection, name))


def _found(kind: str, name: str, *, is_there: bool) -> Item:
    if is_there:
        return Item(kind=kind, name=name, state=State.FOUND)
    detail = "missing; run: notifier topology apply"
    return Item(kind=kind, name=name, state=State.FAILED, detail=detail)


def _find_effects(management: Management) -> list[Item]:
    """Whether what matters of our policies applies to each queue; limits may differ.

    Judged by the policies themselves: the management API's own account is up to 10 s late.
    """
    try:
        return _effects(management)
    except ManagementError as error:
        return [
            Item(kind="policy", name=policy.name, state=State.FAILED, detail=str(error))
            for policy in topology.POLICIES
        ]


def _effects(management: Management) -> list[Item]:
    there = found_policies(management)
    return [find_effect(there, spec.name, policy) for policy, specs in _POLICED for spec in specs]


def found_policies(management: Management) -> list[Found]:
    """Return all policies of the vhost; raises ManagementError."""
    answer = management.get("policies", management.vhost)
    listed = answer if isinstance(answer, list) else []
    return [found for found in listed if isinstance(found, dict)]


def find_effect(there: list[Found], queue: str, policy: Policy) -> Item:
    """Say whether what matters of a policy applies to a queue, among those that there are."""
    name = f"{policy.name} on {queue}"
    winner = max((found for found in there if _applies(found, queue)), key=_rank, default=None)
    given = winner.get("definition") if winner else None
    definition = given if isinstance(given, dict) else {}
    lacking = _lacking(policy.definition, definition)
    if not lacking:
        return Item(kind="policy", name=name, state=State.FOUND, detail=_wish(policy, definition))
    rival = winner.get("name") if winner else "none"
    detail = f"not in effect: {', '.join(lacking)} (the queue's policy is {rival})"
    return Item(kind="policy", name=name, state=State.FAILED, detail=detail)


def _applies(found: Found, queue: str) -> bool:
    if found.get("apply-to") not in ("all", "queues", "quorum_queues"):
        return False
    try:
        return re.search(str(found.get("pattern")), queue) is not None
    except re.error:
        return False


def _rank(found: Found) -> int:
    priority = found.get("priority")
    return priority if isinstance(priority, int) else 0


def _wish(policy: Policy, definition: Found) -> str | None:
    lacking = _lacking(policy.preferences, definition)
    return f"better with {', '.join(lacking)}; run: notifier topology apply" if lacking else None


def _lacking(wanted: Mapping[str, str | int], definition: Found) -> list[str]:
    return [
        key
        for key, value in wanted.items()
        if key not in definition or (isinstance(value, str) and definition[key] != value)
    ]


def _find_members(management: Management) -> list[Item]:
    try:
        found = find_cluster(management)
    except ManagementError as error:
        detail = f"not seen: {error}"
        return [Item(kind="members", name="of all queues", state=State.FAILED, detail=detail)]
    if not found.has_several_nodes:
        return []
    return [_members_item(found, queue) for queue in found.queues]


def _members_item(found: Cluster, queue: QueueMembers) -> Item:
    if found.is_underreplicated(queue):
        detail = f"{_held(found, queue)}; run: {found.growing(queue)}"
        return Item(kind="members", name=queue.name, state=State.FAILED, detail=detail)
    detail = f"{_leader(queue)}; members {', '.join(queue.members)}{_offline(queue)}"
    return Item(kind="members", name=queue.name, state=State.FOUND, detail=detail)


def _held(found: Cluster, queue: QueueMembers) -> str:
    verb = "holds" if len(queue.members) == 1 else "hold"
    return f"{len(queue.members)} of {len(found.nodes)} nodes {verb} it: {', '.join(queue.members)}"


def _leader(queue: QueueMembers) -> str:
    return f"leader {queue.leader}" if queue.leader else "no leader"


def _offline(queue: QueueMembers) -> str:
    offline = [node for node in queue.members if node not in queue.online]
    return f"; offline {', '.join(offline)}" if offline else ""
