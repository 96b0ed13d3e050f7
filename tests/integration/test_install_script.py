"""What scripts/run says while it installs, and where it cannot. Its Python is a stand-in."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.patience import AT_ALL_S
from tests.servers.debian import CHECKOUT

_PYTHON = """\
#!/usr/bin/env bash
case "$*" in
    "-m pip --version") ;;
    "-m pip config get"*) echo https://ada:secret@index.example/simple ;;
    "-m pip install --progress-bar"*)
        seq 1 25 | sed 's/^/Collecting package-/'
        [[ -z ${FAILS:-} ]] && exit
        echo "ERROR: no version of x (from versions: none)" >&2
        exit 1 ;;
    "-m notifier dev"*) echo started ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(CHECKOUT / "scripts", tmp_path / "scripts")
    for name in ("requirements.lock", "requirements-dev.lock", "setup.cfg", "pyproject.toml"):
        shutil.copy(CHECKOUT / name, tmp_path / name)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(_PYTHON)
    python.chmod(0o755)
    return tmp_path


def run(checkout: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "scripts" / "run"],
        env={"PATH": os.environ["PATH"], **environ},
        check=False,
        capture_output=True,
        text=True,
        timeout=AT_ALL_S,
    )


def test_an_installation_says_what_it_does_and_how_far_it_is(checkout: Path) -> None:
    first = run(checkout)
    again = run(checkout)

    assert (first.returncode, first.stdout) == (0, "started\n")
    assert "Installing requirements.lock into .venv: " in first.stderr
    assert "  20 of " in first.stderr
    assert (again.stdout, again.stderr) == ("started\n", "")


def test_an_installation_without_a_network_says_so_and_tells_no_secret(checkout: Path) -> None:
    failed = run(checkout, FAILS="yes")

    assert failed.returncode == 1
    assert "from https://index.example/simple: is there a network?" in failed.stderr
    assert "secret" not in failed.stderr
    assert "started" not in failed.stdout
    mirrored = run(checkout, FAILS="yes", PIP_INDEX_URL="https://eve:secret@mirror.example/simple")
    assert "from https://mirror.example/simple" in mirrored.stderr
    assert run(checkout).returncode == 0


def test_a_second_start_says_that_it_waits_for_the_first(checkout: Path) -> None:
    (checkout / ".cache").mkdir()
    with (checkout / ".cache" / "environment.lock").open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        second = subprocess.Popen(
            [checkout / "scripts" / "run"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert second.stderr is not None
        said = second.stderr.readline()

    output, _ = second.communicate(timeout=AT_ALL_S)

    assert said == "Another start is installing into .venv: waiting for it.\n"
    assert output == "started\n"
