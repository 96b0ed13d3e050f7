"""The load balancer of docs/clusters.md, in front of three nodes."""

import base64
import re
from functools import partial

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from tests.patience import AT_ALL_S
from tests.servers.cluster import Cluster
from tests.servers.debian import CHECKOUT
from tests.servers.haproxy import private_haproxy
from tests.servers.needed import needed
from tests.servers.processes import LOOPBACK, wait_until
from tests.servers.rabbitmq import RabbitMq, vhost_of

PAGE = CHECKOUT / "docs" / "clusters.md"
AS_MANY = 6
"""Connections, of which a balancer that takes turns gives each of three nodes two."""


def block(first_line: str) -> str:
    """The block of the page that begins with this line."""
    text = PAGE.read_text(encoding="utf-8")
    (found,) = re.findall(
        rf"^```\n({re.escape(first_line)}\n.*?)^```$", text, re.DOTALL | re.MULTILINE
    )
    return str(found)


def configuration(cluster: Cluster) -> str:
    """What the page says, with the nodes of this cluster, which have ports of their own."""
    broker = cluster.members[0].broker
    login = base64.b64encode(f"{broker.user}:{broker.password}".encode()).decode()
    text = re.sub(r'"Basic .*"', f'"Basic {login}"', block("backend rabbitmq"))
    text = text.replace("port-listener/5672", "local-alarms")
    for number, member in enumerate(cluster.members, 1):
        at = f"{LOOPBACK}:{port_of(member.broker.amqp_url)}"
        checked = f"port {port_of(member.broker.management_url)}"
        text = text.replace(f"mq-{number}:5672", f"{at} {checked}")
    return text


def port_of(url: str) -> int:
    return int(url.rstrip("/").rpartition(":")[2])


def all_are_served(broker: RabbitMq, port: int, vhost: str) -> bool:
    return all(is_served(broker, port, vhost) for _ in range(AS_MANY))


def is_served(broker: RabbitMq, port: int, vhost: str) -> bool:
    parameters = pika.ConnectionParameters(
        host=LOOPBACK,
        port=port,
        virtual_host=vhost,
        credentials=pika.PlainCredentials(broker.user, broker.password),
        socket_timeout=2,
        stack_timeout=2,
    )
    try:
        pika.BlockingConnection(parameters).close()
    except (pika.exceptions.AMQPError, AMQPConnectorException, OSError):
        return False
    return True


def test_nobody_is_led_to_a_node_that_hangs_for_longer_than_a_few_checks(
    cluster: Cluster, vhost_url: str
) -> None:
    with needed(), private_haproxy(configuration(cluster), backend="rabbitmq") as port:
        broker = cluster.members[0].broker
        served = partial(all_are_served, broker, port, vhost_of(vhost_url))
        wait_until(served, timeout_s=AT_ALL_S, what="connections to all nodes")
        cluster.members[1].freeze()
        assert not served()

        wait_until(served, timeout_s=AT_ALL_S, what="connections to the others")
