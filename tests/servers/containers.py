"""Containers for the services, where a Docker engine answers and has the image."""

import contextlib
import gc
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from docker.errors import DockerException
from docker.models.containers import Container
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient
from testcontainers.core.exceptions import ContainerStartException

from tests.servers.errors import ServerEndedError, WayClosedError
from tests.servers.reaper import Reaper

_REMOVE = "import docker, sys; docker.from_env().containers.get(sys.argv[1]).remove(v=1, force=1)"


@dataclass(frozen=True, slots=True)
class RunningContainer:
    """A started container; it keeps its ports and files when it is killed and started again."""

    host: str
    _container: Container

    def exec(self, *command: str) -> str:
        """Run a command inside and return what it prints.

        Raises:
            RuntimeError: the command failed.
        """
        code, output = self._container.exec_run(list(command))
        if code:
            raise RuntimeError(f"{' '.join(command)}: {output.decode()}")
        return str(output.decode())

    def signal(self, name: str) -> None:
        """Send the container's first process a signal; returns when the container has ended."""
        self._container.kill(signal=name)
        self._container.wait(timeout=60)

    def start(self) -> None:
        """Start the ended container again."""
        self._container.start()

    def require_running(self) -> None:
        """Return unless it has ended; raises ServerEndedError then."""
        self._container.reload()
        if self._container.status == "exited":
            printed = self._container.logs(tail=50).decode(errors="replace")
            raise ServerEndedError(f"{self._container.name} ended by itself: {printed}")


@contextlib.contextmanager
def running(container: DockerContainer, reaper: Reaper) -> Iterator[RunningContainer]:
    """Yield the started container; the reaper removes it and its volumes.

    Raises:
        WayClosedError: no engine answers, or it cannot have the image.
    """
    # Our reaper does the same without one more image.
    testcontainers_config.ryuk_disabled = True
    try:
        container.start()
    except DockerException as error:
        raise WayClosedError(f"Docker: {str(error).splitlines()[0]}") from error
    finally:
        _hand_over(container, reaper)
    with contextlib.closing(container.get_docker_client().client):
        yield RunningContainer(
            host=container.get_container_host_ip(), _container=container.get_wrapped_container()
        )


def _hand_over(container: DockerContainer, reaper: Reaper) -> None:
    # A container that was made but could not be started must be removed, too.
    with contextlib.suppress(ContainerStartException):
        identity = str(container.get_wrapped_container().id)
        reaper.run(f"container {identity}", [sys.executable, "-c", _REMOVE, identity])


def require_engine() -> None:
    """Return if a Docker engine answers.

    Raises:
        WayClosedError: none does.
    """
    with warnings.catch_warnings():
        # docker-py leaves the sockets open with which it reached nobody.
        warnings.simplefilter("ignore", ResourceWarning)
        answers = _engine_answers()
        gc.collect()
    if not answers:
        raise WayClosedError("Docker: no engine answers")


def _engine_answers() -> bool:
    try:
        client = DockerClient().client
    except DockerException:
        return False
    client.close()
    return True
