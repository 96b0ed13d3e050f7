"""A notifier of its own for an example: in one process, in a folder that is gone afterwards."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Notifier:
    """A notifier that runs, and the key of its service."""

    url: str
    key: str
    folder: Path

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Call its API; returns the answer."""
        request = Request(  # noqa: S310  its own URL
            f"{self.url}/api/v1/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.key}",
                "Content-Type": "application/json",
            },
            method=method,
        )
        with urlopen(request, timeout=30) as answer:  # noqa: S310  as above
            text = answer.read()
        return json.loads(text) if text else None

    def notifications(self, **which: str) -> Sequence[Any]:
        """Return some of its notifications, in the order of their acceptance."""
        found = self.ask(f"notifications?{urlencode({**which, 'limit': 100})}")["items"]
        return [self.ask(f"notifications/{each['id']}") for each in reversed(found)]

    def push(self, kind: str, source: Path) -> None:
        """Write templates or rules to it and publish them, from a copy of their folder."""
        copy = shutil.copytree(source, self.folder / kind)
        self.command(kind, "push", str(copy), "--publish")

    def command(self, *words: str) -> None:
        """Run a command of notifier's, as a team does in its own repository."""
        environ = {**os.environ, "NOTIFIER_URL": self.url, "NOTIFIER_API_KEY": self.key}
        subprocess.run(  # noqa: S603  its own commands
            [sys.executable, "-m", "notifier", *words], check=True, env=environ
        )

    def publish(self, type: str, data: Mapping[str, Any], id: str) -> None:
        """Publish an event: a CloudEvent."""
        event = {"specversion": "1.0", "id": id, "source": "/example", "type": type, "data": data}
        request = Request(  # noqa: S310  its own URL
            f"{self.url}/api/v1/events",
            data=json.dumps(event).encode(),
            headers={
                "Authorization": f"Bearer {self.key}",
                "Content-Type": "application/cloudevents+json",
            },
        )
        urlopen(request, timeout=30).close()  # noqa: S310  as above


@contextmanager
def one_process() -> Iterator[Notifier]:
    """Run a notifier for the length of the block."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("w") as output:
            process = subprocess.Popen(  # noqa: S603  its own command
                [sys.executable, "-m", "notifier", "dev", "--folder", f"{folder}/data"],
                stdout=output,
                stderr=output,
                env={**os.environ, "NOTIFIER_PORT": "0"},
            )
        try:
            yield Notifier(_said(log, "API "), _said(log, "API key"), Path(folder))
        finally:
            process.terminate()
            process.wait()


def until(is_so: Callable[[], Any], what: str) -> Any:
    """Return what it comes to, as soon as it is true."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        if found := is_so():
            return found
        time.sleep(0.2)
    sys.exit(f"{what}: not within {PATIENCE_S:.0f} seconds")


def tell(line: str) -> None:
    """Print what is going on."""
    print(line, flush=True)  # noqa: T201  what it is for


def _said(log: Path, name: str) -> str:
    """Return what the greeting says under a name."""

    def look() -> str | None:
        lines = log.read_text(encoding="utf-8").splitlines()
        said = (each.split()[-1] for each in lines if each.strip().startswith(name))
        return next(said, None)

    return str(until(look, "starting notifier")).removesuffix("/docs")
