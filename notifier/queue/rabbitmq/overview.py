"""What the broker says of itself, by its management API."""

from collections.abc import Sequence
from dataclasses import dataclass

from notifier.queue.rabbitmq.management import Management, ManagementError

_ALARMS = {"mem_alarm": "memory", "disk_free_alarm": "disk"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The broker's version, and the alarms because of which it takes no messages."""

    version: str
    alarms: Sequence[str] | None
    """Each as what lacks, and where: `memory on rabbit@one`; None if the user may not see them."""


def overview(amqp_url: str, management_url: str | None = None) -> Overview:
    """Ask the broker how it is.

    Raises:
        ManagementError: the management API does not answer, or refuses the user.
    """
    management = Management.of(amqp_url, management_url)
    about = management.get("overview")
    version = about.get("rabbitmq_version") if isinstance(about, dict) else None
    return Overview(version=str(version), alarms=_alarms(management))


def _alarms(management: Management) -> Sequence[str] | None:
    try:
        nodes = management.get("nodes")
    except ManagementError:
        return None
    there = [node for node in nodes if isinstance(node, dict)] if isinstance(nodes, list) else []
    return [
        f"{what} on {node.get('name')}"
        for node in there
        for key, what in _ALARMS.items()
        if node.get(key)
    ]
