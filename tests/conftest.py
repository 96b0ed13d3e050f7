"""Fixtures that start real services, when a test first asks for one.

A service that cannot be had fails the test with one line that says what to install: a suite that
skips what matters most would pass without having looked.
"""

import gc
from collections.abc import Generator, Iterator

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, settings

from tests.awake import AwakeClock, awake_clock
from tests.e2e.processes import uncount_processes
from tests.measured import measure, measure_lightly
from tests.schema import postgres_database
from tests.servers.needed import needed
from tests.servers.pgbouncer import PgBouncer, private_pgbouncer
from tests.servers.postgres import Postgres, private_postgres
from tests.servers.rabbitmq import RabbitMq, private_rabbitmq
from tests.servers.smtp import SmtpServer
from tests.servers.smtp import smtp_server as running_smtp_server
from tests.statements import share_compiled_statements

# How fast examples come says something about the machine and its other work alone.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

measure_lightly()
share_compiled_statements()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Do without the garbage collector meanwhile: what is made stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Keep the garbage collector from what stays: modules, and some ten thousand tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def logging_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a command that runs in this process from setting up its logging.

    That would write to what was the output of its test, for all the tests to come.
    """
    monkeypatch.setattr(
        "notifier.composition.resources.configure_logging", lambda **_settings: None
    )


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep coverage from a test that only runs what others do: it would take twice as long.

    And from the processes that it starts.
    """
    uncount_processes(monkeypatch)
    measuring = Coverage.current()
    if measuring is None:
        yield
        return
    measuring.stop()
    try:
        yield
    finally:
        measure(measuring)


@pytest.fixture
def awake() -> Iterator[AwakeClock]:
    """A clock for bounds in real time: it does not count while the machine stands still."""
    with awake_clock() as clock:
        yield clock


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMq]:
    """The session's broker, with the management, prometheus and shovel plugins."""
    with needed(), private_rabbitmq() as broker:
        yield broker


@pytest.fixture
def amqp_url(rabbitmq: RabbitMq) -> Iterator[str]:
    """A virtual host of the test's own."""
    with rabbitmq.vhost() as url:
        yield url


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The session's PostgreSQL server."""
    with needed(), private_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """An empty database of the test's own, as `postgresql+asyncpg://`."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def schema_url(postgres: Postgres) -> Iterator[str]:
    """A database of the test's own with an up-to-date schema, as `postgresql+asyncpg://`."""
    with postgres_database(postgres) as url:
        yield url


@pytest.fixture(scope="session")
def pgbouncer(postgres: Postgres) -> Iterator[PgBouncer]:
    """A pooler in transaction mode in front of the session's PostgreSQL server."""
    with needed(), private_pgbouncer(postgres.admin_url) as pooler:
        yield pooler


@pytest.fixture
def smtp_server() -> Iterator[SmtpServer]:
    """A mail server without TLS and AUTH; `tests.servers.smtp` has them."""
    with running_smtp_server() as server:
        yield server
