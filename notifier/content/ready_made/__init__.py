"""The ready-made templates: files of this package, which a service installs and then owns.

What their mails have in common is taken in where `<mj-include>` names it, so that an installed
template stands by itself.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from notifier.content.folder import Files

ROOT = Path(__file__).parent / "templates"
_INCLUDE = re.compile(r'^(?P<indent> *)<mj-include path="(?P<path>[^"]+)" />$', re.MULTILINE)


def names() -> Sequence[str]:
    """The templates that there are, in their order."""
    return sorted(each.name for each in ROOT.iterdir())


def files(name: str) -> Files:
    """Return the files of a template, each whole."""
    return dict(_whole(ROOT / name))


def _whole(folder: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        text = file.read_text(encoding="utf-8")
        whole = _INCLUDE.sub(partial(_taken_in, file.parent), text)
        yield file.relative_to(folder).as_posix(), whole


def _taken_in(folder: Path, found: re.Match[str]) -> str:
    piece = (folder / found["path"]).read_text(encoding="utf-8").rstrip("\n")
    return "\n".join(found["indent"] + line for line in piece.splitlines())
