"""The commands that the documents tell to paste.

A fenced block of bash, console or python is run by the suite if the line above it is
`<!-- tested -->`. All of a document's are run in order, in one shell. A block marked
`<!-- tested, in a terminal of its own -->` starts what goes on: it runs beside the others until
the document's end, or until another one takes its port.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.e2e.processes import CHECKOUT

MARK = "<!-- tested -->"
TERMINAL = "<!-- tested, in a terminal of its own -->"
ADDRESS = re.compile(r"http://(?:127\.0\.0\.1|localhost):8000")
_BLOCK = re.compile(
    rf"^(?P<indent> *)(?P<mark>{MARK}|{TERMINAL})\n"
    r"(?: *\n)* *```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
_LISTENERS = MappingProxyType({"aiosmtpd": 2525, "./scripts/run": 8000, "notifier serve": 8000})
"""What a terminal runs, and the port where it then listens."""
_TERMINALS = """\
set -m
declare -A terminals=()
end() {
    local job=${terminals[$1]:-}
    if [[ -n $job ]] && kill -- -"$job"; then wait "$job" || true; fi
}
trap 'for port in "${!terminals[@]}"; do end "$port"; done' EXIT
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
await() { for _ in {1..400}; do listens "$1" && return; sleep 0.1; done; false; }
"""


@dataclass(frozen=True, slots=True)
class Block:
    """Some commands; `port` is where they listen, if they go on in a terminal of their own."""

    commands: str
    has_terminal: bool = False

    @property
    def port(self) -> int | None:
        """Where it listens, None if it does not."""
        ports = (port for name, port in _LISTENERS.items() if name in self.commands)
        return next(ports, None)


@dataclass(frozen=True, slots=True)
class Document:
    """A document and the commands in it."""

    name: str
    text: str

    def blocks(self) -> Sequence[Block]:
        """Each marked block, as bash."""
        found = [
            Block(_commands(match), match["mark"] == TERMINAL)
            for match in _BLOCK.finditer(self.text)
        ]
        if len(found) != self.text.count(MARK) + self.text.count(TERMINAL):
            raise ValueError(f"{self.name}: a mark without a block below it")
        return found

    def script(self, url: str, instead: Mapping[str, str] = MappingProxyType({})) -> str:
        """All of its commands, against the API at `url`; stops at the first that fails.

        `instead` says what stands for words of the document: addresses, mostly.
        """
        script = "".join(self._lines())
        for words, others in instead.items():
            script = script.replace(words, others)
        return ADDRESS.sub(url, script)

    def _lines(self) -> Iterator[str]:
        yield f"set -euo pipefail\n{_TERMINALS}"
        for number, block in enumerate(self.blocks(), start=1):
            yield f"echo '== block {number}' >&2\n"
            yield from _in_a_terminal(block, number) if block.has_terminal else [block.commands]
            yield "\necho\n"


def documents() -> Sequence[Document]:
    """Every document of the project that has marked blocks."""
    paths = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("**/*.md"))]
    found = [_read(path) for path in paths]
    return [document for document in found if document.blocks()]


def _in_a_terminal(block: Block, number: int) -> Iterator[str]:
    port = block.port
    name = port or f"block {number}"
    yield f"end '{name}'\n(\n{block.commands}\n) >&2 &\nterminals['{name}']=$!\n"
    if port:
        yield f"await {port}\n"


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
