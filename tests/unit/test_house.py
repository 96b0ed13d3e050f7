"""A subject has its own room on each floor, and files and functions stay small."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "notifier"
MOST_LINES = 400
MOST_BODY_LINES = 30

ROOMS: Mapping[str, Mapping[str, set[str]]] = {
    "api": {
        "inbox": {"inbox", "inbox_stream"},
        "suppression": {"suppressions"},
        "provider": {"providers"},
        "receipt": {"receipts"},
        "capture": {"sandbox"},
    },
    "store": {
        "inbox": {"inbox"},
        "suppression": {"suppressions"},
        "provider": {"providers"},
        "receipt": {"receipts"},
        "capture": {"captures"},
    },
    "commands": {
        "suppression": {"suppressions"},
        "provider": {"providers"},
        "topology": {"topology"},
        "letter": {"dead_letters"},
    },
}
"""Of each floor, by the word in their names: where a subject's definitions stand."""


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield str(path.relative_to(PACKAGE)), ast.parse(path.read_text(encoding="utf-8"))


def _words(name: str) -> set[str]:
    found = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    return {word.lower().removesuffix("s") for word in found}


@pytest.mark.parametrize("floor", ROOMS)
def test_only_the_room_of_a_subject_defines_what_bears_its_name(floor: str) -> None:
    strays = [
        f"{file}: {each.name}"
        for file, tree in _modules()
        if file.startswith(f"{floor}/")
        for each in tree.body
        if isinstance(each, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for word, rooms in ROOMS[floor].items()
        if word in _words(each.name)
        if file.split("/")[1].removesuffix(".py") not in rooms
    ]

    assert strays == []


def test_no_file_is_longer_than_what_can_be_kept_in_mind() -> None:
    long = {
        str(path.relative_to(PACKAGE)): lines
        for path in PACKAGE.rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }

    assert long == {}


def test_no_function_is_longer_than_a_page_on_a_phone() -> None:
    long = {
        f"{file}: {each.name}": lines
        for file, tree in _modules()
        for each in ast.walk(tree)
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        if (lines := _body_lines(each)) > MOST_BODY_LINES
        if "/versions/" not in file
    }

    assert long == {}


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
