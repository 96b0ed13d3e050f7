"""How a client and the broker get to know each other."""

from typing import Any

from pamqp.base import Frame
from pamqp.commands import Connection as Method
from pamqp.common import FieldTable

from tests.simulation.broker.versions import Version

FRAME_MAX = 131_072
_CHANNEL_MAX = 2_047
_HEARTBEAT_S = 60
_CAPABILITIES: FieldTable = {
    "publisher_confirms": True,
    "exchange_exchange_bindings": True,
    "basic.nack": True,
    "consumer_cancel_notify": True,
    "connection.blocked": True,
    "consumer_priorities": True,
    "authentication_failure_close": True,
    "per_consumer_qos": True,
    "direct_reply_to": True,
}


def start(version: Version) -> Frame:
    """What the broker says of itself."""
    return Method.Start(
        server_properties={
            "product": "RabbitMQ",
            "version": version.name,
            "platform": "a model",
            "capabilities": _CAPABILITIES,
        },
        mechanisms="PLAIN AMQPLAIN",
        locales="en_US",
    )


def tune() -> Frame:
    """What the broker allows and would like."""
    return Method.Tune(_CHANNEL_MAX, FRAME_MAX, _HEARTBEAT_S)


def name_in(properties: dict[str, Any] | None) -> str:
    """The name that a client gives its connection."""
    return str((properties or {}).get("connection_name", "a client"))


def can(properties: dict[str, Any] | None, capability: str) -> bool:
    """Whether a client says that it understands something."""
    capabilities = (properties or {}).get("capabilities")
    return isinstance(capabilities, dict) and bool(capabilities.get(capability))
