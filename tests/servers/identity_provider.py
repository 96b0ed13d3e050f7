"""A real identity provider, Canaille, in an environment of its own.

Its libraries are pinned in `identity/requirements.lock`, which `uv pip compile --universal
--python-version 3.11 --generate-hashes` makes of `canaille[front,oidc]`.
"""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.servers.debian import CHECKOUT
from tests.servers.errors import ServiceUnavailableError
from tests.servers.reaper import reaping

CLIENT_ID, CLIENT_SECRET = "notifier", "a client's secret: with + and %"
PASSWORD = "correct horse battery"
_FOLDER = Path(__file__).parent / "identity"
_INSTALL_S = 300


@contextmanager
def private_identity_provider(people: Mapping[str, Collection[str]], *, back: str) -> Iterator[str]:
    """Yield the issuer that knows these people with their groups, and sends them `back`.

    Raises:
        ServiceUnavailableError: it cannot be installed, or does not start.
    """
    python = _environment()
    told = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "back": back,
        "people": {name: sorted(groups) for name, groups in people.items()},
        "password": PASSWORD,
    }
    with reaping() as reaper:
        folder = Path(tempfile.mkdtemp(prefix="notifier-identity-"))
        reaper.remove(folder)
        (folder / "told").write_text(json.dumps(told) + "\n")
        with (folder / "told").open("rb") as stdin, (folder / "log").open("wb") as log:
            process = reaper.start(
                [python, _FOLDER / "serve.py"],
                cwd=folder,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert process.stdout is not None
        with process.stdout as stdout:
            issuer = stdout.readline().decode().strip()
        if not issuer:
            raise ServiceUnavailableError(f"Canaille ended: {(folder / 'log').read_text()[-2000:]}")
        yield issuer


def _environment() -> Path:
    """Return the Python of an environment with its libraries, made once for each lock."""
    lock = _FOLDER / "requirements.lock"
    name = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    cache = CHECKOUT / ".cache"
    cache.mkdir(exist_ok=True)
    made = cache / f"identity-{name}"
    with (cache / "identity.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not made.exists():
            _run(sys.executable, "-m", "venv", str(made))
            try:
                pip = (str(made / "bin/python"), "-m", "pip", "install", "--quiet")
                _run(*pip, "--require-hashes", "--requirement", str(lock))
            except ServiceUnavailableError:
                shutil.rmtree(made, ignore_errors=True)
                raise
    return made / "bin/python"


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_INSTALL_S)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise ServiceUnavailableError(f"No identity provider for the tests: {why}")
