import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.documents import MARK, Document, documents
from tests.e2e.one_process import one_process

PROBLEM = re.compile(r'"type":"urn:notifier:problem:[^"]*","title":"[^"]*","status":(\d+)')
# The API's description shows how something is refused; nothing else may go wrong.
SHOWN = {"409", "422"}


def paste(document: Document, url: str, folder: Path, path: str) -> str:
    """Run a document's commands in one shell; returns what they print."""
    ended = subprocess.run(
        ["bash", "-c", document.script(url)],
        cwd=folder,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{path}"},
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert ended.returncode == 0, f"{ended.stdout[-3_000:]}\n{ended.stderr[-3_000:]}"
    return ended.stdout


@pytest.mark.parametrize("document", documents(), ids=lambda document: document.name)
def test_the_commands_of_a_document_work_when_pasted(
    document: Document, tmp_path: Path, shell_path: str
) -> None:
    with one_process(tmp_path / ".notifier") as notifier:
        printed = paste(document, notifier.url, tmp_path, shell_path)
        account = notifier.service.account()

    refused = set(PROBLEM.findall(printed))
    assert refused <= (set() if document.name == "README.md" else SHOWN), printed
    assert account["accepted"] > 0


def test_blocks_of_every_kind_become_commands() -> None:
    text = "\n".join(
        [
            MARK,
            "```bash",
            "A=1",
            "```",
            "```bash",
            "not this",
            "```",
            f"  {MARK}",
            "  ```console",
            "  $ echo $A \\",
            "  >   http://127.0.0.1:8000/x",
            "  1 http://...",
            "  ```",
            MARK,
            "",
            "```python",
            "print(2)",
            "```",
        ]
    )
    blocks = Document("x.md", text).blocks()

    assert blocks[0] == "A=1"
    assert blocks[1] == "echo $A \\\n  http://127.0.0.1:8000/x"
    assert blocks[2].splitlines()[1] == "print(2)"
    assert "http://127.0.0.1:7/x" in Document("x.md", text).script("http://127.0.0.1:7")


def test_a_mark_with_nothing_to_run_is_an_error() -> None:
    with pytest.raises(ValueError, match="without a block"):
        Document("x.md", f"{MARK}\n\nSome words.\n").blocks()


def test_a_command_that_fails_fails_the_document(tmp_path: Path, shell_path: str) -> None:
    wrong = Document("x.md", f"{MARK}\n```bash\nfalse\n```\n{MARK}\n```bash\necho on\n```\n")

    with pytest.raises(AssertionError, match="block 1"):
        paste(wrong, "http://127.0.0.1:1", tmp_path, shell_path)
