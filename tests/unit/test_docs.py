"""The documents point at what exists, and mention what users and operators meet."""

import ast
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from notifier.api.kit.problems import CATALOGUE
from notifier.commands import app
from tests.api import serving

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}

read = partial(Path.read_text, encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_documents_lead_somewhere(page: Path) -> None:
    for path, anchor in _LINK.findall(_FENCE.sub("", read(page))):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} points at {path}"
        if anchor:
            assert anchor in set(_anchors(target)), f"{page.name} points at {path}#{anchor}"


def test_every_document_is_in_the_index() -> None:
    index = read(ROOT / "docs" / "README.md")

    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, page.name


async def test_every_endpoint_is_shown_by_example(tmp_path: Path) -> None:
    shown = read(ROOT / "docs" / "api.md")

    async with serving(tmp_path) as api:
        document = (await api.client.get("/openapi.json")).json()

    missing = [
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
        if f"`{method.upper()} {path}`" not in shown
    ]
    assert missing == []


def test_every_problem_is_explained() -> None:
    shown = read(ROOT / "docs" / "api.md")

    for problem in CATALOGUE:
        assert f"| {problem.status} | `{problem.code}` |" in shown, problem.code


def test_every_command_is_explained_to_operators() -> None:
    shown = read(ROOT / "docs" / "operations.md")

    commands = list(_commands())
    assert "dead-letters replay" in commands
    assert [command for command in commands if f"notifier {command}" not in shown] == []


def test_every_log_event_is_explained_to_operators_with_its_level() -> None:
    table = read(ROOT / "docs" / "operations.md").partition("## What log events mean")[2]
    explained = {
        (event, level)
        for events, level in re.findall(r"^\| (`.+?) \| (\w+) \|", table, re.MULTILINE)
        for event in re.findall(r"`([a-z_.]+)`", events)
    }

    assert explained == set(_log_events())


def _anchors(page: Path) -> Iterator[str]:
    for heading in re.findall(r"^#+ (.+)$", _FENCE.sub("", read(page)), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", heading.lower())
        yield words.replace(" ", "-")


def _commands() -> Iterator[str]:
    for name in app.COMMANDS:
        inner = getattr(app.command(name), "commands", None)
        yield from [name] if inner is None else [f"{name} {each}" for each in inner]


def _log_events() -> Iterator[tuple[str, str]]:
    for module in (ROOT / "notifier").rglob("*.py"):
        for node in ast.walk(ast.parse(read(module))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="log"), attr=level), args=[event, *_]
                ) if level in _LEVELS:
                    for part in ast.walk(event):
                        if isinstance(part, ast.Constant):
                            yield str(part.value), "error" if level == "exception" else level


def test_what_the_pages_commands_leave_behind_is_not_taken_for_a_change() -> None:
    ignored = read(ROOT / ".gitignore").splitlines()

    left = {
        name
        for page in (ROOT / "docs").glob("*.md")
        for name in re.findall(r"(?:>|tee) ([a-z]+\.json)", read(page))
    }

    assert left
    assert "/*.json" in ignored
    assert "/rules/" in ignored
