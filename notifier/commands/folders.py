"""Folders of templates on disk."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from notifier.content.folder import DESCRIPTION, READY_MADE_FOLDER, FileFinding, Files, is_part
from notifier.content.template import is_template_name

_AGREED = ".agreed.json"
_MOST_FILE_BYTES = 4_000_000


class TemplateFolder:
    """Templates in a folder: one folder each, of its name.

    What it last agreed upon with which server is kept beside them, in `.agreed.json`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> Sequence[str]:
        """The templates that there are, in their order."""
        if not self.root.is_dir():
            return []
        folders = (each for each in self.root.iterdir() if each.is_dir())
        return sorted(each.name for each in folders if not each.name.startswith("."))

    def files(self, name: str) -> Files | Sequence[FileFinding]:
        """Read a template's files, or say which of them cannot be read."""
        if not is_template_name(name):
            words = "no template's name: lower-case letters, digits, and . _ - after the first"
            return [FileFinding(path=DESCRIPTION, code="file-name", detail=words)]
        read = dict(_read(self.root / name))
        wrong = [each for each in read.values() if isinstance(each, FileFinding)]
        return wrong or {path: text for path, text in read.items() if isinstance(text, str)}

    def write(self, name: str, files: Files) -> None:
        """Write a template's files, and remove those of parts that it has no more."""
        folder = self.root / name
        for path, text in files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists() or file.read_bytes() != text.encode():
                file.write_bytes(text.encode())
        for path in _paths(folder):
            if is_part(path) and path not in files:
                (folder / path).unlink()
                _remove_if_empty((folder / path).parent)

    def agreed(self, server: str) -> Mapping[str, str]:
        """Return the digests of what was the same here and there, by template."""
        return dict(self._agreements().get(server, {}))

    def agree(self, server: str, name: str, digest: str) -> None:
        """Note that a template is the same here and there."""
        every = self._agreements()
        if every.setdefault(server, {}).get(name) != digest:
            every[server][name] = digest
            text = json.dumps(every, indent=2, sort_keys=True) + "\n"
            (self.root / _AGREED).write_text(text, encoding="utf-8")

    def _agreements(self) -> dict[str, dict[str, str]]:
        try:
            found = json.loads((self.root / _AGREED).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return dict(found)


def _read(folder: Path) -> Iterator[tuple[str, str | FileFinding]]:
    for path in _paths(folder):
        content = (folder / path).read_bytes()[:_MOST_FILE_BYTES]
        try:
            yield path, content.decode()
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            words = "is not UTF-8"
            yield path, FileFinding(path=path, code="file-encoding", detail=words, line=line)


def _paths(folder: Path) -> Sequence[str]:
    """Files of a template by their path within it, but for hidden ones, and others beside it."""
    found = [each.relative_to(folder) for each in folder.rglob("*") if each.is_file()]
    seen = [each for each in found if not any(part.startswith(".") for part in each.parts)]
    paths = [each.as_posix() for each in seen]
    return sorted(each for each in paths if "/" in each or each == DESCRIPTION)


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()


READY_MADE = TemplateFolder(READY_MADE_FOLDER)
"""The templates that notifier brings along."""
