"""The commands that the documents tell to paste.

A fenced block of bash, console or python is run by the suite if the line above it is
`<!-- tested -->`. All of a document's are run in order, in one shell.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.processes import CHECKOUT

MARK = "<!-- tested -->"
ADDRESS = re.compile(r"http://(?:127\.0\.0\.1|localhost):8000")
_BLOCK = re.compile(
    rf"^(?P<indent> *){MARK}\n(?: *\n)* *```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Document:
    """A document and the commands in it."""

    name: str
    text: str

    def blocks(self) -> Sequence[str]:
        """The commands of each marked block, as bash."""
        found = [_commands(match) for match in _BLOCK.finditer(self.text)]
        if len(found) != self.text.count(MARK):
            raise ValueError(f"{self.name}: a {MARK} without a block below it")
        return found

    def script(self, url: str) -> str:
        """All of its commands, against the API at `url`; stops at the first that fails."""
        marked = (
            f"echo '== block {number}' >&2\n{block}\necho\n"
            for number, block in enumerate(self.blocks(), start=1)
        )
        return ADDRESS.sub(url, "set -euo pipefail\n" + "".join(marked))


def documents() -> Sequence[Document]:
    """Every document of the project that has marked blocks."""
    paths = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("**/*.md"))]
    found = [_read(path) for path in paths]
    return [document for document in found if MARK in document.text]


def _read(path: Path) -> Document:
    return Document(str(path.relative_to(CHECKOUT)), path.read_text(encoding="utf-8"))


def _commands(match: re.Match[str]) -> str:
    indent = len(match["indent"])
    lines = [line[indent:] for line in match["text"].splitlines()]
    match match["language"]:
        case "bash" | "sh":
            return "\n".join(lines)
        case "console":
            typed = [line[2:] for line in lines if line.startswith(("$ ", "> "))]
            return "\n".join(typed)
        case "python":
            return "\n".join(["python3 - <<'END_OF_PYTHON'", *lines, "END_OF_PYTHON"])
        case other:
            raise ValueError(f"nobody knows how to run a block of {other!r}")
