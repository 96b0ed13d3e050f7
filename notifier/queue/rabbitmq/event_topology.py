"""The operator's side of the events' exchange and queues: making them, and checking them."""

from collections.abc import Iterator, Sequence

from notifier.queue.rabbitmq import event_entities as entities
from notifier.queue.rabbitmq.management import Management, ManagementError
from notifier.queue.rabbitmq.topology import (
    Item,
    State,
    TopologyReport,
    apply_exchange,
    apply_policy,
    apply_queue,
    connected,
    find_effect,
    find_exchange,
    find_queue,
    found_policies,
)

_POLICED = tuple(zip(entities.POLICIES, (entities.QUEUE, entities.DEAD_QUEUE), strict=True))


def apply_events(
    amqp_url: str, management_url: str | None, bindings: Sequence[str]
) -> TopologyReport:
    """Make what is missing for events that are bound by these patterns; idempotent.

    Raises:
        QueueUnavailableError, TopologyError: as `apply_topology`.
    """
    management = Management.of(amqp_url, management_url)
    with connected(amqp_url) as connection:
        made = [apply_exchange(connection, entities.EXCHANGE, entities.EXCHANGE_TYPE)]
        made += [apply_policy(management, policy) for policy in entities.POLICIES]
        made += [apply_queue(connection, each) for each in entities.queue_specs(bindings)]
    return TopologyReport(tuple(made))


def check_events(
    amqp_url: str, management_url: str | None, bindings: Sequence[str]
) -> TopologyReport:
    """Look whether all of that is there, and the queue bound; changes nothing.

    Raises:
        QueueUnavailableError: as `apply_topology`.
    """
    with connected(amqp_url) as connection:
        found = [find_exchange(connection, entities.EXCHANGE)]
        found += [find_queue(connection, each.name) for each in entities.queue_specs(bindings)]
    management = Management.of(amqp_url, management_url)
    try:
        found += _bindings(management, bindings)
        there = found_policies(management)
        found += [find_effect(there, queue, policy) for policy, queue in _POLICED]
    except ManagementError as error:
        found.append(
            Item(
                kind="binding",
                name=f"of {entities.QUEUE}",
                state=State.FAILED,
                detail=f"not seen: {error}",
            )
        )
    return TopologyReport(tuple(found))


def _bindings(management: Management, wanted: Sequence[str]) -> Iterator[Item]:
    path = ("bindings", management.vhost, "e", entities.EXCHANGE, "q", entities.QUEUE)
    answer = management.get(*path)
    listed = answer if isinstance(answer, list) else []
    there = {str(each.get("routing_key")) for each in listed if isinstance(each, dict)}
    for pattern in wanted:
        state = State.FOUND if pattern in there else State.FAILED
        detail = None if pattern in there else "missing; run: notifier topology apply"
        yield Item(kind="binding", name=pattern, state=state, detail=detail)
    for pattern in sorted(there.difference(wanted)):
        detail = "no binding of NOTIFIER_EVENTS__BINDINGS, and events come by it: unbind it if none"
        yield Item(kind="binding", name=pattern, state=State.FOUND, detail=detail)
