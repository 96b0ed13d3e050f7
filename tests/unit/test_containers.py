"""The Dockerfile and the compose file are in step with the code."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from notifier.settings import Settings, WorkerSettings
from notifier.worker.stopping import StopBudget
from tests.services import postgres, rabbitmq

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

    settings = Settings.from_env(environment)

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
