import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.e2e.documents import MARK, TERMINAL, Block, Document, documents
from tests.e2e.one_process import one_process
from tests.e2e.processes import CHECKOUT, environment, uncounted
from tests.e2e.production import Outside, Production
from tests.servers.processes import free_port
from tests.servers.reaper import reaping

PROBLEM = re.compile(r'"type":"urn:notifier:problem:[^"]*","title":"[^"]*","status":(\d+)')
# The API's description shows how something is refused; nothing else may go wrong.
SHOWN = {"docs/api.md": {"409", "422"}}
DOCUMENTS = MappingProxyType({document.name: document for document in documents()})
ITS_OWN = "docs/getting-started.md"
IN_PRODUCTION = (
    "docs/clusters.md",
    "docs/containers.md",
    "docs/events-by-rabbitmq.md",
    "docs/operations.md",
    "docs/troubleshooting.md",
)
# Without rules nothing is sent.
SENDS_NOTHING = {"docs/dead-letters.md", "docs/events.md"}
NONE: Mapping[str, str] = MappingProxyType({})
# A page's commands take half a minute at most; a loaded machine takes longer.
PATIENCE_S = 240
# In a container or not, it is the same command with the same settings.
WITHOUT_CONTAINERS = """\
#!/bin/bash
[[ "$1 $2" == "compose exec" ]] || { echo "docker $*: not here" >&2; exit 1; }
shift 2
[[ $1 != -T ]] || shift
[[ $1 == api ]] && shift && exec "$@"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like the checkout to whoever pastes commands into it."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "worker_runner.py").symlink_to(CHECKOUT / "worker_runner.py")
    _program(tmp_path / "scripts" / "run", '#!/bin/sh\nexec notifier dev "$@"\n')
    _program(tmp_path / "bin" / "docker", WITHOUT_CONTAINERS)
    (tmp_path / ".notifier").mkdir()
    return tmp_path


def paste(
    document: Document,
    url: str,
    folder: Path,
    path: str,
    environ: Mapping[str, str] = NONE,
    instead: Mapping[str, str] = NONE,
) -> str:
    """Run a document's commands in one shell; returns what they print."""
    places = [str(folder / "bin"), str(Path(sys.executable).parent), path]
    with reaping() as reaper:
        shell = reaper.start(
            ["bash", "-c", document.script(url, instead)],
            ending=("TERM", "KILL"),  # the first lets it end what runs in terminals of their own
            cwd=folder,
            # Of commands the suite counts what they do where they are called; here it is the words.
            env={**uncounted(environment(environ)), "PATH": os.pathsep.join(places)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        stdout, stderr = (text.decode() for text in shell.communicate(timeout=PATIENCE_S))
    assert shell.returncode == 0, f"{stdout[-3_000:]}\n{stderr[-6_000:]}"
    assert set(PROBLEM.findall(stdout)) <= SHOWN.get(document.name, set()), stdout
    return stdout


@pytest.mark.parametrize("name", sorted({*DOCUMENTS} - {ITS_OWN, *IN_PRODUCTION}))
def test_the_commands_of_a_document_work_when_pasted(
    name: str, folder: Path, shell_path: str
) -> None:
    with one_process(folder / ".notifier") as notifier:
        paste(DOCUMENTS[name], notifier.url, folder, shell_path)
        account = notifier.service.account()

    assert account["accepted"] > 0 or name in SENDS_NOTHING


@pytest.mark.parametrize("name", IN_PRODUCTION)
def test_the_commands_of_a_document_for_operators_work_when_pasted(
    name: str, folder: Path, shell_path: str, deployed: Production
) -> None:
    instead = {"await 8000": ":"}

    printed = paste(DOCUMENTS[name], deployed.url, folder, shell_path, deployed.environ, instead)

    assert printed.count("\n") > len(DOCUMENTS[name].blocks())


def test_getting_started_gets_a_newcomer_from_a_clone_to_production(
    folder: Path, shell_path: str, surroundings: Outside
) -> None:
    port, mail_port = str(free_port()), str(free_port())
    instead = {
        "127.0.0.1:2525": f"127.0.0.1:{mail_port}",
        "PORT=2525": f"PORT={mail_port}",
        "await 2525": f"await {mail_port}",
        "await 8000": f"await {port}",
        "postgresql://notifier:change-me@127.0.0.1/notifier": surroundings.database_url,
        "amqp://notifier:change-me@127.0.0.1/notifier": surroundings.amqp_url,
    }
    environ = {
        "NOTIFIER_PORT": port,
        "NOTIFIER_BROKER_MANAGEMENT_URL": surroundings.rabbitmq.management_url,
    }

    printed = paste(
        DOCUMENTS[ITS_OWN], f"http://127.0.0.1:{port}", folder, shell_path, environ, instead
    )

    assert printed.count('"status":"sent"') == 2, printed


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
            TERMINAL,
            "",
            "```bash",
            "notifier serve",
            "```",
            MARK,
            "```python",
            "print(2)",
            "```",
        ]
    )
    blocks = Document("x.md", text).blocks()

    assert blocks[:3] == [
        Block("A=1"),
        Block("echo $A \\\n  http://127.0.0.1:8000/x"),
        Block("notifier serve", has_terminal=True),
    ]
    assert blocks[3].commands.splitlines()[1] == "print(2)"
    assert "http://127.0.0.1:7/x" in Document("x.md", text).script("http://127.0.0.1:7")


@pytest.mark.parametrize("mark", [MARK, TERMINAL])
def test_a_mark_with_nothing_to_run_is_an_error(mark: str) -> None:
    with pytest.raises(ValueError, match="without a block"):
        Document("x.md", f"{mark}\n\nSome words.\n").blocks()


def test_a_command_that_fails_fails_the_document(folder: Path, shell_path: str) -> None:
    wrong = Document("x.md", f"{MARK}\n```bash\nfalse\n```\n{MARK}\n```bash\necho on\n```\n")

    with pytest.raises(AssertionError, match="block 1"):
        paste(wrong, "http://127.0.0.1:1", folder, shell_path)


def test_what_runs_in_a_terminal_of_its_own_ends_with_the_document(
    folder: Path, shell_path: str
) -> None:
    text = (
        f"{TERMINAL}\n```bash\necho $BASHPID > pid\nsleep 600\n```\n"
        f"{MARK}\n```bash\nuntil [[ -s pid ]]; do sleep 0.01; done\ncat pid\n```\n"
    )

    pid = int(paste(Document("x.md", text), "http://127.0.0.1:1", folder, shell_path))

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def _program(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
