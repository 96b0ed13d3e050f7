"""Check the licences of everything that requirements.lock installs.

usage: python scripts/licences.py

A distribution passes when the licence it declares is in licences.toml, letter for letter: a
licence nobody has read (GPL, AGPL, LGPL or merely new) fails until somebody does. One that declares
none passes with what somebody found.
"""

import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from locks import RUNTIME_LOCK, read_pins

ACCEPTED = Path(__file__).with_name("licences.toml")
_CLASSIFIER = "License :: OSI Approved :: "


def licence_of(distribution: metadata.Distribution) -> str:
    """Return the declared licence: the SPDX expression, else the free text, else classifiers."""
    about = distribution.metadata
    for field in ("License-Expression", "License"):
        if field in about and about[field].strip():
            return about[field].strip().splitlines()[0]
    classifiers = about.get_all("Classifier") or []
    return " AND ".join(
        line.removeprefix(_CLASSIFIER) for line in classifiers if line.startswith(_CLASSIFIER)
    )


def _refused(accepted: frozenset[str], found: Mapping[str, str]) -> Iterator[str]:
    for pin in read_pins(RUNTIME_LOCK):
        try:
            distribution = metadata.distribution(pin.name)
        except metadata.PackageNotFoundError:
            if not pin.marker:
                yield f"{pin.name}: in {RUNTIME_LOCK.name}, but not installed"
            continue
        licence = licence_of(distribution) or found.get(pin.name, "")
        if licence not in accepted:
            yield f"{pin.name} {distribution.version}: licence {licence or 'undeclared'!r}"


if __name__ == "__main__":
    with ACCEPTED.open("rb") as file:
        read = tomllib.load(file)
    if refused := list(_refused(frozenset(read["accepted"]), read["found"])):
        sys.exit("\n".join([*refused, f"Not accepted: read it, then see {ACCEPTED.name}."]))
