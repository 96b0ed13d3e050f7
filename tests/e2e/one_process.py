"""The one-process mode as `scripts/run` starts it, and what its greeting says."""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.client import Service, service_at
from tests.e2e.processes import NOTIFIER, Running, running


@dataclass(frozen=True, slots=True)
class OneProcess:
    """A running one-process mode, and a client that holds the key it printed."""

    process: Running
    service: Service
    url: str
    key: str

    def curl_line(self) -> str:
        """The command that the greeting tells to paste."""
        found = re.search(r"^  (curl .*?[^\\])$", self.process.output, re.DOTALL | re.MULTILINE)
        assert found, self.process.output
        return found[1]


@contextmanager
def one_process(
    folder: Path,
    settings: Mapping[str, str] | None = None,
    *,
    command: tuple[str, ...] = (*NOTIFIER, "dev"),
) -> Iterator[OneProcess]:
    """Start the one-process mode with its data in `folder`, on a free port."""
    environ: Mapping[str, str] = {"NOTIFIER_PORT": "0", **(settings or {})}
    with ExitStack() as stack:
        process = stack.enter_context(running([*command, "--folder", str(folder)], environ))
        process.line("Ctrl-C stops")
        url = process.line(r"API +(http://\S+)/docs")[1]
        key = process.line(r"API key +(\S+)")[1]
        service = stack.enter_context(service_at(url, key))
        yield OneProcess(process, service, url, key)
