"""Read the lock files, and check that they are in step with setup.cfg.

usage: python scripts/locks.py

Needs no network: every requirement of setup.cfg must be met by a pin, every pin must have a
hash, both locks must agree, and neither may name where it was downloaded from.
"""

import configparser
import dataclasses
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
RUNTIME_LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"
RUNTIME_EXTRAS = ("mjml", "postgres", "sendgrid", "twilio")


@dataclasses.dataclass(frozen=True, slots=True)
class Pin:
    """One `name==version ; marker` of a lock, with the number of its hashes."""

    name: str
    version: str
    marker: str
    hashes: int


def read_pins(lock: Path) -> list[Pin]:
    """Return the lock's pins in order; a name has several where the platform decides."""
    text = lock.read_text().replace("\\\n", " ")
    return [_pin(line) for line in text.splitlines() if line and not line.startswith((" ", "#"))]


def _pin(line: str) -> Pin:
    requirement = Requirement(line.split("--hash", 1)[0].strip())
    return Pin(
        name=canonicalize_name(requirement.name),
        version=str(requirement.specifier).removeprefix("=="),
        marker=str(requirement.marker or ""),
        hashes=line.count("--hash=sha256:"),
    )


def declared(extras: tuple[str, ...]) -> list[Requirement]:
    """Return what setup.cfg requires with these extras, and what builds the project."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options"]["install_requires"].splitlines()
    for extra in extras:
        lines += config["options.extras_require"][extra].splitlines()
    lines += re.findall(r'"(setuptools>[^"]*)"', (ROOT / "pyproject.toml").read_text())
    return [Requirement(line) for line in lines if line.strip()]


def _unmet(lock: Path, extras: tuple[str, ...]) -> Iterator[str]:
    versions: dict[str, list[str]] = {}
    for pin in read_pins(lock):
        versions.setdefault(pin.name, []).append(pin.version)
    for requirement in declared(extras):
        pinned = versions.get(canonicalize_name(requirement.name), [])
        if not any(requirement.specifier.contains(version) for version in pinned):
            yield f"{lock.name}: {requirement} is not met (pinned: {', '.join(pinned) or 'none'})"


def _malformed(lock: Path) -> Iterator[str]:
    for pin in read_pins(lock):
        if not pin.hashes or not pin.version[:1].isdigit():
            yield f"{lock.name}: {pin.name} has no exact version with a hash"
    if re.search(r"https?:|file:|--(extra-)?index|--find-links", lock.read_text()):
        yield f"{lock.name}: names where it was downloaded from"


def _disagreeing() -> Iterator[str]:
    dev = {(pin.name, pin.version, pin.hashes) for pin in read_pins(DEV_LOCK)}
    for pin in read_pins(RUNTIME_LOCK):
        if (pin.name, pin.version, pin.hashes) not in dev:
            yield f"{pin.name} {pin.version}: not the same in {DEV_LOCK.name}"


def problems() -> list[str]:
    """Return one line for each way in which the locks are wrong."""
    return [
        *_malformed(RUNTIME_LOCK),
        *_malformed(DEV_LOCK),
        *_unmet(RUNTIME_LOCK, RUNTIME_EXTRAS),
        *_unmet(DEV_LOCK, (*RUNTIME_EXTRAS, "dev")),
        *_disagreeing(),
    ]


if __name__ == "__main__":
    if found := problems():
        sys.exit("\n".join([*found, "Run scripts/lock and commit what it writes."]))
