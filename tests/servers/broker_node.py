"""A node of RabbitMQ as processes of our own, on loopback ports."""

import os
import signal
import subprocess
from pathlib import Path

from tests.patience import AT_ALL_S
from tests.servers.erlang import Programs
from tests.servers.errors import ServerEndedError
from tests.servers.processes import LOOPBACK, free_port, listens, wait_until
from tests.servers.reaper import Reaper

# Moving messages in the management page needs the shovel.
ENABLED = "[rabbitmq_management,rabbitmq_prometheus,rabbitmq_shovel,rabbitmq_shovel_management].\n"
_TOLD = 4_000


def start_epmd(programs: Programs, reaper: Reaper, folder: Path, port: int) -> None:
    """Start what nodes find one another by; the usual one is shared with other sessions."""
    environment = {
        **programs.environment,
        "ERL_EPMD_PORT": str(port),
        "ERL_EPMD_ADDRESS": LOOPBACK,
    }
    reaper.start(
        [programs.epmd],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


class ProcessNode:
    """A node with files of its own. It must have an epmd at `epmd_port`.

    Args:
        name: such as c1@localhost.
        folder: of its files.
        home: of the cookie that it shares with what it speaks to.
        memory_mb: at which it blocks publishers.
        conf: lines of rabbitmq.conf beside those that every node has.
        erl: arguments of the Erlang machine beside those that every node has.
    """

    def __init__(
        self,
        programs: Programs,
        reaper: Reaper,
        *,
        name: str,
        folder: Path,
        home: Path,
        epmd_port: int,
        memory_mb: int,
        conf: str,
        erl: str = "",
    ) -> None:
        self.name = name
        self.amqp_port = free_port()
        self.management_port = free_port()
        self._programs = programs
        self._reaper = reaper
        self._folder = folder
        self._printed = folder / "rabbitmq-server.out"
        self._environment = self._describe(home, epmd_port, erl)
        self._configure(memory_mb, conf)
        self._process: subprocess.Popen[bytes] | None = None

    def _configure(self, memory_mb: int, conf: str) -> None:
        (self._folder / "plugins").write_text(ENABLED)
        (self._folder / "rabbitmq.conf").write_text(
            "loopback_users = none\n"
            f"management.tcp.ip = {LOOPBACK}\n"
            f"management.tcp.port = {self.management_port}\n"
            f"prometheus.tcp.ip = {LOOPBACK}\n"
            f"prometheus.tcp.port = {free_port()}\n"
            "disk_free_limit.absolute = 50MB\n"
            f"vm_memory_high_watermark.absolute = {memory_mb}MB\n"
            "log.console = false\n"
            f"{conf}"
        )

    def _describe(self, home: Path, epmd_port: int, erl: str) -> dict[str, str]:
        folder = self._folder
        return {
            **self._programs.environment,
            "HOME": str(home),  # .erlang.cookie is looked for, or made, here
            "RABBITMQ_CONF_ENV_FILE": os.devnull,  # not the system's rabbitmq-env.conf
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": str(self.amqp_port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_MNESIA_DIR": str(folder / "mnesia" / "db"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_PLUGINS_EXPAND_DIR": str(folder / "expanded"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "feature_flags"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "none.config"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                f"-kernel inet_dist_use_interface {{127,0,0,1}} {erl}".rstrip()
            ),
        }

    @property
    def is_running(self) -> bool:
        """Whether its process was started and not ended; it may be frozen."""
        return self._process is not None

    def start(self) -> None:
        """Start it on its ports and files; it is not ready yet."""
        with self._printed.open("ab") as output:
            self._process = self._reaper.start(
                [self._programs.folder / "rabbitmq-server"],
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def require_running(self) -> None:
        """Return unless it was started and has ended by itself; raises ServerEndedError then."""
        code = None if self._process is None else self._process.poll()
        if code is not None:
            printed = self._printed.read_text(errors="replace")[-_TOLD:]
            raise ServerEndedError(f"{self.name} ended by itself ({code}): {printed}")

    def kill(self) -> None:
        """End it at once, as `kill -9` does; returns when it has ended."""
        if self._process is not None:
            self._reaper.end(self._process, signal.SIGKILL)
            self._process = None
            # The leader is a shell script; the node beside it may end a moment later.
            wait_until(self._is_gone, timeout_s=AT_ALL_S, what="the killed RabbitMQ gone")

    def stop(self) -> None:
        """End it in order; returns when it has ended."""
        self.ctl("shutdown")
        self.kill()

    def freeze(self) -> None:
        """Stop its processes where they are: its ports take connections and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on; nothing happens to one that is not."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, number)

    def _is_gone(self) -> bool:
        return not listens(LOOPBACK, self.amqp_port)

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl against it and return what it prints; raises RuntimeError."""
        return self.run("rabbitmqctl", *arguments)

    def run(self, program: str, *arguments: str) -> str:
        """Run one of RabbitMQ's programs against it and return what it prints.

        Raises:
            RuntimeError: it failed; the text is what it prints.
        """
        done = subprocess.run(
            [self._programs.folder / program, *arguments],
            env=self._environment,
            cwd=self._folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=AT_ALL_S,
        )
        if done.returncode:
            raise RuntimeError(f"{program} {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout
