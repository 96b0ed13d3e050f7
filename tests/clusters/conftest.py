"""Clusters whose members a test kills: PostgreSQL's its own, RabbitMQ's whole again before each."""

from collections.abc import Iterator

import pytest

from tests.servers.cluster import Cluster, private_cluster
from tests.servers.needed import needed
from tests.servers.postgres_pair import PostgresPair, private_postgres_pair


@pytest.fixture
def synchronous_pair() -> Iterator[PostgresPair]:
    """A primary that acknowledges a commit once its standby has it."""
    yield from _pair(synchronous=True)


@pytest.fixture
def asynchronous_pair() -> Iterator[PostgresPair]:
    """A primary that waits for no standby."""
    yield from _pair(synchronous=False)


def _pair(*, synchronous: bool) -> Iterator[PostgresPair]:
    with needed(), private_postgres_pair(synchronous=synchronous) as pair:
        yield pair


@pytest.fixture(scope="session")
def nodes() -> Iterator[Cluster]:
    """The session's three nodes of RabbitMQ, in whatever state the last test left them."""
    with needed(), private_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(nodes: Cluster) -> Cluster:
    """Three nodes of RabbitMQ, all of which run."""
    nodes.mend()
    return nodes


@pytest.fixture
def vhost_url(cluster: Cluster) -> Iterator[str]:
    """A virtual host of the test's own, at the first node."""
    with cluster.vhost() as url:
        yield url
        cluster.mend()
