"""A real cluster of RabbitMQ nodes on loopback, and the faults of its nodes.

It is the RabbitMQ that NOTIFIER_TEST_RABBITMQ names, the installed one, or Debian's packages
unpacked without root; no container.
"""

import contextlib
import json
import secrets
import tempfile
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.servers.broker_node import ProcessNode, start_epmd
from tests.servers.erlang import Programs, installed_programs, unpacked_programs
from tests.servers.processes import LOOPBACK, free_port, wait_until
from tests.servers.rabbitmq import USER, RabbitMq, broker_of, vhost_of
from tests.servers.reaper import reaping
from tests.servers.ways import Way, first_open, started

_INSTALL = (
    "No RabbitMQ cluster for the tests: install RabbitMQ (Debian: apt install rabbitmq-server)"
)
_MEMBERS_TIMEOUT_S = 120.0
# Nodes that share two processors must not spin while they wait.
_MODEST = "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none"
_PLACES = """
    Places = [begin
        {_, _, _, Name} = amqqueue:get_name(Queue),
        {Local, _} = amqqueue:get_pid(Queue),
        Leader = case ra_leaderboard:lookup_leader(Local) of
            {_, Node} -> Node;
            _ -> none
        end,
        {Name, #{leader => Leader, members => maps:get(nodes, amqqueue:get_type_state(Queue))}}
    end || Queue <- rabbit_amqqueue:list(<<"%s">>)],
    io:format("~s~n", [rabbit_json:encode(maps:from_list(Places))]).
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a quorum queue is: the nodes that hold it, and the one that leads it, if one does."""

    leader: str | None
    members: frozenset[str]


@dataclass(frozen=True, slots=True)
class Member:
    """A node of a cluster; `broker` is the way to it."""

    name: str
    broker: RabbitMq
    _node: ProcessNode

    def url(self, vhost_url: str) -> str:
        """Return the AMQP URL of a virtual host at this node."""
        here = urllib.parse.urlsplit(self.broker.amqp_url)
        return here._replace(path=urllib.parse.urlsplit(vhost_url).path).geturl()

    @property
    def is_running(self) -> bool:
        """Whether it was started and not ended; it may be frozen."""
        return self._node.is_running

    def kill(self) -> None:
        """End it at once, as `kill -9` does; returns when it has ended."""
        self._node.kill()

    def stop(self) -> None:
        """End it in order; returns when it has ended."""
        self._node.stop()

    def start(self) -> None:
        """Start it again on its ports and files; returns when it serves clients.

        It does so once most nodes run.
        """
        self._node.start()
        self.broker.wait_ready()

    def spawn(self) -> None:
        """Start it again, and do not wait for it."""
        self._node.start()

    def freeze(self) -> None:
        """Let it hang: it takes connections and answers nobody."""
        self._node.freeze()

    def thaw(self) -> None:
        """Let a frozen one go on; nothing happens to one that is not."""
        self._node.thaw()

    def drain(self) -> None:
        """Let it hand its clients and leaders to the others, as before a restart."""
        self._node.run("rabbitmq-upgrade", "drain")

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl against it and return what it prints; raises RuntimeError."""
        return self._node.ctl(*arguments)

    def run(self, program: str, *arguments: str) -> str:
        """Run one of RabbitMQ's programs against it and return what it prints."""
        return self._node.run(program, *arguments)

    def await_quorum(self) -> None:
        """Return once every queue is safe although this node stops."""
        self._node.run("rabbitmq-upgrade", "await_online_quorum_plus_one")

    def places(self, vhost_url: str) -> dict[str, Place]:
        """Where the quorum queues of a virtual host are, as this node knows it; asks no other."""
        printed = self.ctl("eval", _PLACES % vhost_of(vhost_url))
        found = json.loads(printed.splitlines()[0])
        return {queue: _place(**place) for queue, place in found.items()}

    def sees(self) -> frozenset[str]:
        """The nodes that it sees running, itself with them."""
        nodes = self.broker.management.call("GET", "nodes")
        return frozenset(node["name"] for node in nodes if node["running"])


def _place(*, leader: str, members: Sequence[str]) -> Place:
    return Place(leader=None if leader == "none" else leader, members=frozenset(members))


@dataclass(frozen=True, slots=True)
class Cluster:
    """Nodes that form a cluster, in the order of their names."""

    members: tuple[Member, ...]

    def named(self, name: str) -> Member:
        """Return the node with this name."""
        return next(member for member in self.members if member.name == name)

    def others(self, *but: Member) -> tuple[Member, ...]:
        """Return the nodes that are none of these."""
        return tuple(member for member in self.members if member not in but)

    def leader(self, vhost_url: str, queue: str, *, asked: Member | None = None) -> Member:
        """Return the node that leads the queue, as `asked` knows it; the first one if not given.

        Raises:
            LookupError: no node does, or there is no such queue.
        """
        found = (asked or self.members[0]).places(vhost_url)[queue].leader
        if found is None:
            raise LookupError(f"{queue} has no leader")
        return self.named(found)

    def urls(self, vhost_url: str) -> list[str]:
        """The AMQP URLs of a virtual host, one for each node."""
        return [member.url(vhost_url) for member in self.members]

    @contextlib.contextmanager
    def vhost(self) -> Iterator[str]:
        """Yield the AMQP URL, at the first node, of a virtual host for as long as the block.

        Raises:
            TimeoutError: a node does not open it within two minutes.
        """
        with self.members[0].broker.vhost() as url:
            wait_until(
                partial(self._is_open, url),
                timeout_s=_MEMBERS_TIMEOUT_S,
                what="a virtual host on every node",
            )
            yield url

    def _is_open(self, vhost_url: str) -> bool:
        """Whether every node serves the virtual host.

        One that has just joined may have missed that it was made: it is told to serve it.
        """
        ask, name = self.members[0].broker.management.call, vhost_of(vhost_url)
        states = dict(ask("GET", "vhosts", name)["cluster_state"])  # a list where it knows of none
        closed = [each for each in self.members if states.get(each.name) != "running"]
        for member in closed:
            with contextlib.suppress(OSError):  # not yet able to; it is told again
                ask("POST", "vhosts", name, "start", member.name)
        return not closed

    def mend(self) -> None:
        """Return once all nodes run, whatever was done to them."""
        for member in self.members:
            member.thaw()
        for member in [member for member in self.members if not member.is_running]:
            member.spawn()
        self.await_whole()

    def await_whole(self) -> None:
        """Return once every node serves clients and sees all others.

        Raises:
            TimeoutError: not within two minutes.
        """
        everyone = {member.name for member in self.members}
        for member in self.members:
            member.broker.wait_ready()
        wait_until(
            lambda: all(member.sees() == everyone for member in self.members),
            timeout_s=_MEMBERS_TIMEOUT_S,
            what="a whole cluster",
        )


@contextlib.contextmanager
def private_cluster(
    size: int = 3, *, net_ticktime_s: int = 60, memory_mb: int = 512
) -> Iterator[Cluster]:
    """Yield a cluster that nobody else uses, and end it with all its processes and files.

    Its nodes pause in a minority.

    Args:
        size: how many nodes.
        net_ticktime_s: how long a silent node counts as running.
        memory_mb: at which a node blocks publishers.

    Raises:
        ServiceUnavailableError: no way to a cluster works here.
    """
    start = partial(_started, size=size, net_ticktime_s=net_ticktime_s, memory_mb=memory_mb)

    def installed() -> AbstractContextManager[Cluster]:
        programs = installed_programs()
        return started(lambda: start(programs))

    def unpacked() -> AbstractContextManager[Cluster]:
        programs = unpacked_programs()
        return started(lambda: start(programs))

    ways: list[Way[Cluster]] = [installed, unpacked]
    with first_open(ways, install=_INSTALL) as cluster:
        yield cluster


@contextlib.contextmanager
def _started(
    programs: Programs, *, size: int, net_ticktime_s: int, memory_mb: int
) -> Iterator[Cluster]:
    with reaping() as reaper:
        home = Path(tempfile.mkdtemp(prefix="notifier-cluster-"))
        reaper.remove(home)
        _share_cookie(home)
        password, epmd_port = secrets.token_hex(12), free_port()
        start_epmd(programs, reaper, home, epmd_port)
        names = [f"c{number}@localhost" for number in range(1, size + 1)]
        nodes = [
            ProcessNode(
                programs,
                reaper,
                name=name,
                folder=_folder(home, name),
                home=home,
                epmd_port=epmd_port,
                memory_mb=memory_mb,
                conf=_conf(names, password),
                erl=f"{_MODEST} -kernel net_ticktime {net_ticktime_s}",
            )
            for name in names
        ]
        for node in nodes:
            node.start()
        members = [Member(node.name, _broker(node, password), node) for node in nodes]
        cluster = Cluster(tuple(members))
        cluster.await_whole()
        yield cluster


def _broker(node: ProcessNode, password: str) -> RabbitMq:
    return broker_of(LOOPBACK, node.amqp_port, node.management_port, password, node)


def _share_cookie(home: Path) -> None:
    cookie = home / ".erlang.cookie"
    cookie.write_text(secrets.token_hex(12))
    cookie.chmod(0o400)


def _folder(home: Path, name: str) -> Path:
    folder = home / name
    folder.mkdir()
    return folder


def _conf(names: Sequence[str], password: str) -> str:
    lines = [
        f"default_user = {USER}",
        f"default_pass = {password}",
        "cluster_partition_handling = pause_minority",
        "cluster_formation.peer_discovery_backend = classic_config",
        *(
            f"cluster_formation.classic_config.nodes.{n} = {name}"
            for n, name in enumerate(names, 1)
        ),
    ]
    return "".join(f"{line}\n" for line in lines)
