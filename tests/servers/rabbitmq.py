"""A real RabbitMQ for tests: one node a session, one virtual host a test.

The node is, in this order: the one that NOTIFIER_TEST_BROKER_URL names, the installation that
NOTIFIER_TEST_RABBITMQ names as a private node, a container, the installed rabbitmq-server, or
Debian's packages unpacked without root.
"""

import contextlib
import os
import secrets
import tempfile
import urllib.error
import urllib.parse
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

from testcontainers.core.container import DockerContainer

from tests.servers.broker_node import ENABLED, ProcessNode, start_epmd
from tests.servers.containers import RunningContainer, require_engine, running
from tests.servers.erlang import GIVEN, Programs, installed_programs, unpacked_programs
from tests.servers.errors import ServiceUnavailableError
from tests.servers.management import ManagementApi
from tests.servers.processes import LOOPBACK, accepts, free_port, wait_until
from tests.servers.reaper import reaping
from tests.servers.ways import Way, first_open, started

IMAGE = "rabbitmq:4-management"
USER = "notifier"
_START_TIMEOUT_S = 90.0
_INSTALL = (
    "No RabbitMQ for the tests: install Docker or RabbitMQ (Debian: apt install rabbitmq-server),"
    " or set NOTIFIER_TEST_BROKER_URL"
)


class _Node(Protocol):
    def kill(self) -> None: ...
    def start(self) -> None: ...
    def require_running(self) -> None: ...
    def ctl(self, *arguments: str) -> str: ...


@dataclass(frozen=True, slots=True)
class RabbitMq:
    """A running broker that belongs to this session.

    `amqp_url` names its default virtual host; `create_vhost` gives a test one of its own.
    """

    amqp_url: str
    management_url: str
    user: str
    password: str
    version: str
    _node: _Node

    @property
    def management(self) -> ManagementApi:
        """The broker's management API."""
        return ManagementApi(self.management_url, self.user, self.password)

    def create_vhost(self) -> str:
        """Make a virtual host that the user may use, and return its AMQP URL."""
        name = f"test-{secrets.token_hex(6)}"
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        wait_until(
            partial(self._make_vhost, name), timeout_s=_START_TIMEOUT_S, what="a virtual host"
        )
        self.management.call("PUT", "permissions", name, self.user, body=everything)
        return urllib.parse.urlsplit(self.amqp_url)._replace(path=f"/{name}").geturl()

    def _make_vhost(self, name: str) -> bool:
        try:
            self.management.call("PUT", "vhosts", name)
        except urllib.error.HTTPError as error:
            # A cluster answers so if it takes its nodes more than ten seconds.
            if error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            return False
        return True

    def delete_vhost(self, amqp_url: str) -> None:
        """Delete the virtual host of this URL, with its queues and connections."""
        self.management.call("DELETE", "vhosts", vhost_of(amqp_url))

    @contextlib.contextmanager
    def vhost(self) -> Iterator[str]:
        """Yield the AMQP URL of a virtual host that lives as long as the block."""
        amqp_url = self.create_vhost()
        try:
            yield amqp_url
        finally:
            self.delete_vhost(amqp_url)

    def kill(self) -> None:
        """End the node at once, as `kill -9` does; returns when it has ended.

        RabbitMQ keeps the names of its quorum queues in files that it writes up to 3 s late: a
        node killed just after a declaration comes back with a queue that answers nobody. Queues
        in use are older than that, so the files are written first.
        """
        self._node.ctl("eval", "[dets:sync(Table) || Table <- dets:all()].")
        self._node.kill()

    def start(self) -> None:
        """Start the killed node on its ports and files; returns when it serves clients."""
        self._node.start()
        self.wait_ready()

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl against the node and return what it prints."""
        return self._node.ctl(*arguments)

    def wait_ready(self) -> None:
        """Return once the node takes AMQP connections and answers management calls.

        Raises:
            ServerEndedError: it ended by itself.
            TimeoutError: it does not.
        """
        parts = urllib.parse.urlsplit(self.amqp_url)
        _wait_ready(parts.hostname or LOOPBACK, parts.port or 5672, self.management, self._node)


def vhost_of(amqp_url: str) -> str:
    """Return the virtual host that the URL names; no path is the default one."""
    path = urllib.parse.urlsplit(amqp_url).path
    return urllib.parse.unquote(path.removeprefix("/")) or "/"


@contextlib.contextmanager
def private_rabbitmq(*, memory_mb: int = 512) -> Iterator[RabbitMq]:
    """Yield a broker that nobody else uses, and end it with all its processes and files.

    Args:
        memory_mb: at which it blocks publishers; a container keeps its image's limit.

    Raises:
        ServiceUnavailableError: no way to a broker works here.
    """
    installed, unpacked = partial(_installed, memory_mb), partial(_unpacked, memory_mb)
    ways: list[Way[RabbitMq]] = [_container, installed, unpacked]
    if GIVEN in os.environ:
        ways = [installed]
    if "NOTIFIER_TEST_BROKER_URL" in os.environ:
        ways = [_given]
    with first_open(ways, install=_INSTALL) as broker:
        yield broker


@contextlib.contextmanager
def _given() -> Iterator[RabbitMq]:
    url = os.environ["NOTIFIER_TEST_BROKER_URL"]
    parts = urllib.parse.urlsplit(url)
    default = f"http://{parts.hostname}:15672"
    management_url = os.environ.get("NOTIFIER_TEST_BROKER_MANAGEMENT_URL", default).rstrip("/")
    user = urllib.parse.unquote(parts.username or "guest")
    password = urllib.parse.unquote(parts.password or "guest")
    try:
        version = ManagementApi(management_url, user, password).version()
    except OSError as error:
        raise ServiceUnavailableError(
            f"The broker of NOTIFIER_TEST_BROKER_URL does not answer at {management_url}: {error}."
        ) from error
    yield RabbitMq(url, management_url, user, password, version, _ForeignNode())


class _ForeignNode:
    """A node that is not ours to kill."""

    def kill(self) -> None:
        raise ServiceUnavailableError(
            "This test needs a broker of its own to kill: unset NOTIFIER_TEST_BROKER_URL."
        )

    start = require_running = kill

    def ctl(self, *arguments: str) -> str:
        raise ServiceUnavailableError(
            f"rabbitmqctl {' '.join(arguments)} needs a broker of the test's own:"
            " unset NOTIFIER_TEST_BROKER_URL."
        )


@contextlib.contextmanager
def _container() -> Iterator[RabbitMq]:
    require_engine()
    with reaping() as reaper:
        amqp_port, management_port, password = free_port(), free_port(), secrets.token_hex(12)
        # testcontainers' own RabbitMqContainer warns of its own deprecated parts when imported.
        container = DockerContainer(IMAGE, hostname="notifier-test")
        container.with_envs(RABBITMQ_DEFAULTUSER=USER, RABBITMQ_DEFAULT_PASS=password)
        container.with_bind_ports(5672, amqp_port).with_bind_ports(15672, management_port)
        container.with_copy_into_container(ENABLED.encode(), "/etc/rabbitmq/enabled_plugins")
        with running(container, reaper) as started_container:
            node = _ContainerNode(started_container)
            yield broker_of(started_container.host, amqp_port, management_port, password, node)


class _ContainerNode:
    def __init__(self, container: RunningContainer) -> None:
        self._container = container

    def kill(self) -> None:
        self._container.signal("KILL")

    def start(self) -> None:
        self._container.start()

    def require_running(self) -> None:
        self._container.require_running()

    def ctl(self, *arguments: str) -> str:
        return self._container.exec("rabbitmqctl", *arguments)


def _installed(memory_mb: int) -> AbstractContextManager[RabbitMq]:
    return _process(installed_programs(), memory_mb)


def _unpacked(memory_mb: int) -> AbstractContextManager[RabbitMq]:
    return _process(unpacked_programs(), memory_mb)


def _process(programs: Programs, memory_mb: int) -> AbstractContextManager[RabbitMq]:
    return started(lambda: _started(programs, memory_mb))


@contextlib.contextmanager
def _started(programs: Programs, memory_mb: int) -> Iterator[RabbitMq]:
    with reaping() as reaper:
        folder = Path(tempfile.mkdtemp(prefix="notifier-rabbitmq-"))
        reaper.remove(folder)
        password, epmd_port = secrets.token_hex(12), free_port()
        login = f"default_user = {USER}\ndefault_pass = {password}\n"
        node = ProcessNode(
            programs,
            reaper,
            name=f"notifier{epmd_port}@localhost",  # needs no name service
            folder=folder,
            home=folder,
            epmd_port=epmd_port,
            memory_mb=memory_mb,
            conf=login,
        )
        start_epmd(programs, reaper, folder, epmd_port)
        node.start()
        yield broker_of(LOOPBACK, node.amqp_port, node.management_port, password, node)


def broker_of(
    host: str, amqp_port: int, management_port: int, password: str, node: _Node
) -> RabbitMq:
    """Return the broker of a node that was started, once it serves clients.

    Raises:
        ServerEndedError: it ended by itself.
        TimeoutError: it does not.
    """
    management_url = f"http://{host}:{management_port}"
    management = ManagementApi(management_url, USER, password)
    _wait_ready(host, amqp_port, management, node)
    return RabbitMq(
        amqp_url=f"amqp://{USER}:{password}@{host}:{amqp_port}/",
        management_url=management_url,
        user=USER,
        password=password,
        version=management.version(),
        _node=node,
    )


def _wait_ready(host: str, amqp_port: int, management: ManagementApi, node: _Node) -> None:
    def ready() -> bool:
        node.require_running()
        # The first frame of an open AMQP connection is a method frame: its first byte is 1.
        greeting = b"AMQP\x00\x00\x09\x01"
        return accepts(host, amqp_port, greeting=greeting, answer=b"\x01") and management.answers()

    wait_until(ready, timeout_s=_START_TIMEOUT_S, what="RabbitMQ ready")
