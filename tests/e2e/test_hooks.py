"""Hooks as they are installed: the example, beside one that cannot be used."""

import json
import subprocess
import sys
from pathlib import Path

from tests.e2e.client import MAIL, Service
from tests.e2e.one_process import one_process
from tests.e2e.processes import CHECKOUT
from tests.e2e.production import Production
from tests.patience import AT_ALL_S
from tests.servers.processes import wait_until

EXAMPLE = CHECKOUT / "examples" / "hooks"
BROKEN = "[notifier.hooks]\nbroken = no_such_module\nempty = json\nfailing = failing\n"


def install(folder: Path) -> None:
    """Install the example into a folder, as pip does, and hooks that are none."""
    copy = folder / "source"
    copy.mkdir()
    for each in EXAMPLE.iterdir():
        if each.is_file():
            (copy / each.name).write_bytes(each.read_bytes())
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--target", str(folder)]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install"]
    subprocess.run([*command, *options, str(copy)], check=True)
    about = folder / "broken-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(BROKEN)
    (folder / "failing.py").write_text("def before_send(value):\n    raise ValueError(value)\n")


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def told(service: Service, file: Path) -> dict[str, dict[str, object]]:
    """What the example wrote down, by its moment, once both of them have come.

    Hooks follow what is accepted from a moment after the start.
    """
    sent: list[str] = []

    def is_told() -> bool:
        sent.append(service.send(MAIL, metadata={"order": "17"}))
        return {each["moment"] for each in lines(file)} == {"accepted", "slow"}

    wait_until(is_told, timeout_s=AT_ALL_S, what="what happened")
    found = {str(each["moment"]): each for each in lines(file)}
    assert {each["id"] for each in found.values()} <= {*sent}
    return found


def test_the_example_is_told_and_hooks_that_fail_harm_nothing_and_are_visible(
    tmp_path: Path,
) -> None:
    install(tmp_path)
    file = tmp_path / "slow.jsonl"
    settings = {
        "PYTHONPATH": str(tmp_path),
        "SLOW_PROVIDERS_FILE": str(file),
        "SLOW_PROVIDERS_S": "0",
        "NOTIFIER_METRICS": "true",
    }

    with one_process(tmp_path / "data", settings) as notifier:
        service = notifier.service

        slow = told(service, file)["slow"]
        assert (slow["outcome"], slow["order"]) == ("sent", "17")

        def shown() -> str:
            return service.client.get("/metrics").text

        failed = 'notifier_hook_calls_total{hook="failing",moment="before_send",result="failed"}'
        wait_until(lambda: failed in shown(), timeout_s=AT_ALL_S, what=failed)
        printed = notifier.process.output

    assert "hook.failing" in printed
    assert printed.count("hook.unusable") == 2
    assert "ada@example.com" not in printed.partition("Ctrl-C stops")[2]


def test_in_production_the_runner_and_its_workers_tell_what_each_knows(
    deployed: Production, service: Service, tmp_path: Path
) -> None:
    install(tmp_path)
    file = tmp_path / "slow.jsonl"
    deployed.workers.stop()
    deployed.start_workers(
        PYTHONPATH=str(tmp_path), SLOW_PROVIDERS_FILE=str(file), SLOW_PROVIDERS_S="0"
    )

    slow = told(service, file)["slow"]

    assert (slow["provider"], slow["outcome"]) == ("smtp", "sent")
    deployed.workers.stop()
