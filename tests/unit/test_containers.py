"""The Dockerfile and the compose file are in step with the code."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from notifier.composition.settings import read_settings
from notifier.settings.groups import WorkerSettings
from notifier.worker.stopping import StopBudget
from tests.servers import postgres, rabbitmq

ROOT = Path(__file__).parents[2]
OURS = ("migrate", "api", "worker")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services of the compose file, with every ${NAME:-default} at its default."""
    text = (ROOT / "docker-compose.yml").read_text()
    parsed = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
    return dict(parsed["services"])


@pytest.fixture(scope="module")
def stages() -> list[list[str]]:
    """The instructions of each stage of the Dockerfile."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return [stage.splitlines() for stage in re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]]


@pytest.mark.parametrize("name", OURS)
def test_the_compose_file_names_settings_that_exist(name: str, services: dict[str, Any]) -> None:
    environment = {key: str(value) for key, value in services[name]["environment"].items()}

    settings = read_settings(environment)

    assert (settings.host, settings.port) == ("0.0.0.0", 8_000)  # noqa: S104  in the container


def test_only_loopback_ports_are_open(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", ())]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_a_stopped_worker_may_finish_before_it_is_killed(services: dict[str, Any]) -> None:
    stop_grace_s = int(services["worker"]["stop_grace_period"].removesuffix("s"))

    assert stop_grace_s >= StopBudget(grace_s=WorkerSettings().grace_s).runner_s


def test_the_tests_use_the_images_of_the_compose_file(services: dict[str, Any]) -> None:
    assert services["rabbitmq"]["image"] == rabbitmq.IMAGE
    assert services["postgres"]["image"] == postgres.IMAGE


def test_the_image_runs_as_a_user_without_rights(stages: list[list[str]]) -> None:
    users = [line.split()[1] for line in stages[-1] if line.startswith("USER ")]

    assert users == ["notifier"]
    assert any("useradd" in line and "notifier" in line for line in stages[-1])


def test_the_build_is_given_every_file_that_it_copies(stages: list[list[str]]) -> None:
    given = (ROOT / ".dockerignore").read_text().split()
    copied = {
        source
        for stage in stages
        for line in stage
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    }

    assert copied
    assert all((ROOT / source).exists() and f"!{source}" in given for source in copied)


CLUSTERS = ("ops/rabbitmq-cluster.yml", "ops/postgres-pair.yml")


def of_compose(path: str) -> dict[str, Any]:
    """A compose file, with every ${NAME:-default} at its default."""
    text = (ROOT / path).read_text()
    return dict(yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)))


def merged(services: Mapping[str, Any], changes: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The environment of a service with that of a further file over it, as Compose has it."""
    environment = {**services[name]["environment"], **changes[name].get("environment", {})}
    return {key: str(value) for key, value in environment.items()}


@pytest.mark.parametrize("path", CLUSTERS)
def test_a_cluster_is_asked_by_settings_that_exist(path: str, services: dict[str, Any]) -> None:
    changes = of_compose(path)["services"]

    for name in OURS:
        environment = merged(services, changes, name)
        settings = read_settings(environment)
        url = settings.broker_url if "rabbitmq" in path else settings.database_url
        servers = {server for server in changes if server not in OURS}
        hosts = url.get_secret_value().rpartition("@")[2].partition("/")[0].split(",")
        assert set(hosts) == servers


@pytest.mark.parametrize("path", CLUSTERS)
def test_a_cluster_is_whole_before_its_queues_and_tables_are_made(
    path: str, services: dict[str, Any]
) -> None:
    changes = of_compose(path)["services"]

    awaited = {**services["migrate"]["depends_on"], **changes["migrate"]["depends_on"]}

    assert {name for name in changes if name not in OURS} <= awaited.keys()
    assert {each["condition"] for each in awaited.values()} == {"service_healthy"}


@pytest.mark.parametrize("path", CLUSTERS)
def test_a_cluster_has_the_images_and_settings_of_the_one_server(
    path: str, services: dict[str, Any]
) -> None:
    for name, change in of_compose(path)["services"].items():
        alone = services[name.removesuffix("-2").removesuffix("-3")]
        for key in change.keys() & {"image", "healthcheck", "stop_grace_period", "restart"}:
            assert change[key] == alone[key], (name, key)
        assert "ports" not in change


def test_the_nodes_of_the_cluster_are_those_that_it_looks_for(services: dict[str, Any]) -> None:
    cluster = of_compose(CLUSTERS[0])
    conf = cluster["configs"]["rabbitmq-cluster"]["content"]

    nodes = [name for name in cluster["services"] if name not in OURS]
    hosts = [{**services.get(name, {}), **cluster["services"][name]}["hostname"] for name in nodes]

    assert hosts == nodes
    assert re.findall(r"nodes\.\d = rabbit@(\S+)", conf) == nodes
