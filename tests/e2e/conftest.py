"""What the modes' tests share."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.e2e.client import Service
from tests.e2e.processes import uncount_processes
from tests.e2e.production import Outside, Production, outside, production
from tests.servers.curl import curl_folder
from tests.servers.needed import needed
from tests.servers.postgres import Postgres
from tests.servers.rabbitmq import RabbitMq


@pytest.fixture(autouse=True)
def uncounted_processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes run as fast as they do, but those of tests that are `counted`."""
    if "counted" not in request.fixturenames:
        uncount_processes(monkeypatch)


@pytest.fixture
def counted() -> None:
    """Let coverage know what the processes of this test run: one test for each way to run."""


@pytest.fixture(scope="session")
def shell_path() -> str:
    """A PATH on which there is curl."""
    with needed():
        folder = curl_folder()
    return f"{folder}:/usr/bin:/bin"


@pytest.fixture(scope="package")
def surroundings(postgres: Postgres, rabbitmq: RabbitMq) -> Iterator[Outside]:
    """What notifier in production talks to."""
    with outside(postgres, rabbitmq) as made:
        yield made


@pytest.fixture(scope="package")
def started_once(surroundings: Outside) -> Iterator[Production]:
    """Notifier in production; each test takes it as `deployed`."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as monkeypatch:
            uncount_processes(monkeypatch)
            started = stack.enter_context(production(surroundings))
        yield started


@pytest.fixture
def deployed(started_once: Production) -> Production:
    """Production with API and workers running, whatever an earlier test did to them."""
    started_once.ensure()
    return started_once


@pytest.fixture
def service(deployed: Production, request: pytest.FixtureRequest) -> Service:
    """A service that only this test uses: what it sees is the test's own."""
    return deployed.service(request.node.name[:60])
