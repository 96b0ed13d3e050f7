"""The package can be imported and says which version it is."""

import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import notifier

ROOT = Path(__file__).parents[2]


def test_another_process_sees_the_same_version(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import notifier; print(notifier.__version__)"]

    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)

    assert done.stdout.strip() == notifier.__version__


def test_every_file_of_the_package_is_installed_with_it() -> None:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    installed = {
        path
        for package, patterns in config["options.package_data"].items()
        # As setuptools reads a list: by lines or commas, and spaces belong to a name.
        for pattern in re.split(r"[,\n]", patterns)
        if pattern.strip()
        for path in (ROOT / package.replace(".", "/")).glob(pattern.strip())
    }

    files = {
        path
        for path in (ROOT / "notifier").rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    }

    assert files == installed
