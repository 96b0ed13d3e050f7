"""Rules as people write them: their JSON laid out, and on which lines what of it stands."""

import json
import re
from collections.abc import Mapping
from typing import Any

from notifier.events.event import Event
from notifier.events.written import Path
from notifier.notification.model import JsonValue

_ORDER = ("on", "when", "to", "key", "cancelled_by", "variables", "lane", "category", "steps")
_MARK = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_READ = re.compile(r"\bdata\.([A-Za-z_]\w*)", re.ASCII)


def source_of(document: JsonValue) -> str:
    """Write a rule: its fields in their usual order, a step a line."""
    if not isinstance(document, dict):
        return _written(document)
    known = [name for name in _ORDER if name in document]
    fields = [*known, *(name for name in document if name not in _ORDER)]
    lines = [f"  {_written(name)}: {_laid_out(document[name])}" for name in fields]
    return "{\n" + ",\n".join(lines) + "\n}" if lines else "{}"


def sample_event(document: JsonValue) -> str:
    """Write an event that has what a rule's expressions read, to begin with."""
    names = dict.fromkeys(_READ.findall(json.dumps(document)))
    return json.dumps({"data": {name: f"{name}-1" for name in names}}, indent=2)


def written_event(event: Event) -> str:
    """Write what an event says, but for what tells it from others."""
    subject = {"subject": event.subject} if event.subject else {}
    said = {"type": event.type, **subject, "data": event.data}
    return json.dumps(said, ensure_ascii=False, indent=2)


def lines_of(source: str) -> Mapping[Path, int]:
    """Return the lines, from 1, on which members and items of a JSON text begin, by their paths."""
    return _Lines(source).found


def line_at(lines: Mapping[Path, int], path: Path) -> int:
    """Return the line of what is at a path; of what it would be in, if it is not there."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class _Lines:
    """Goes through a JSON text that was parsed before."""

    def __init__(self, source: str) -> None:
        self.found: dict[Path, int] = {}
        self._within: list[_Container] = []
        line, seen = 1, 0
        for each in _MARK.finditer(source):
            line += source.count("\n", seen, each.start())
            seen = each.start()
            self._take(each[0], line)

    def _take(self, mark: str, line: int) -> None:
        inner = self._within[-1] if self._within else None
        if mark in "}]":
            self._within.pop()
        elif mark == "," and inner is not None:
            inner.go_on()
        elif mark == ":" and inner is not None:
            inner.awaits_name = False
        elif inner is not None and inner.awaits_name:
            inner.place = json.loads(mark)
            self.found[self._path()] = line
        else:
            self.found.setdefault(self._path(), line)
            if mark in "{[":
                self._within.append(_Container(is_object=mark == "{"))

    def _path(self) -> Path:
        return tuple(each.place for each in self._within)


class _Container:
    def __init__(self, *, is_object: bool) -> None:
        self.is_object = self.awaits_name = is_object
        self.place: str | int = "" if is_object else 0

    def go_on(self) -> None:
        """Come to the next member or item."""
        self.awaits_name = self.is_object
        if isinstance(self.place, int):
            self.place += 1


def _laid_out(value: Any) -> str:
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        items = ",\n".join(f"    {_written(each)}" for each in value)
        return f"[\n{items}\n  ]"
    if isinstance(value, dict) and value:
        members = ",\n".join(f"    {_written(name)}: {_written(it)}" for name, it in value.items())
        return f"{{\n{members}\n  }}"
    return _written(value)


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
