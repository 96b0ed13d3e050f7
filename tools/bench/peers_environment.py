"""The peers' own environment: what they stand on is no part of notifier's."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.e2e.processes import CHECKOUT

PEERS_FOLDER = CHECKOUT / "tools" / "bench" / "peers"
REQUIREMENTS = PEERS_FOLDER / "requirements.txt"
_VENV = CHECKOUT / ".cache" / "peers-venv"


def peers_python() -> Path:
    """The interpreter that has what requirements.txt pins; installs it if need be."""
    python = _VENV / "bin" / "python"
    installed = _VENV / "installed"
    fingerprint = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if not installed.exists() or installed.read_text() != fingerprint:
        shutil.rmtree(_VENV, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", _VENV], check=True)
        pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet")
        pinned = ("--require-hashes", "--only-binary", ":all:", "-r", str(REQUIREMENTS))
        subprocess.run([*pip, *pinned], check=True)
        installed.write_text(fingerprint)
    return python
