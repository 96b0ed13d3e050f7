"""A good client, while everybody else is not."""

import asyncio
import http.client
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from notifier.commands.keys import create_key
from notifier.settings.groups import KeySettings
from tests.attacks.raw import ask
from tests.awake import AwakeClock, awake_clock
from tests.callbacks import SendGridSigner
from tests.e2e.client import MAIL, PREFIX
from tests.e2e.one_process import OneProcess, one_process
from tests.e2e.processes import CHECKOUT
from tests.patience import AT_ALL_S

_SECONDS = 4
_STILL_S = 1
_MAX_GROWTH_MIB = 300


def test_under_all_attacks_at_once_a_good_client_is_answered(tmp_path: Path) -> None:
    settings = {
        "NOTIFIER_API__TRUSTED_PROXIES": "192.0.2.1",
        "NOTIFIER_SENDGRID__WEBHOOK_PUBLIC_KEY": SendGridSigner().public_key,
    }
    with one_process(tmp_path, settings) as api:
        theirs = _key_of_another_service(tmp_path)
        before = _peak_mib(api.process.pid)
        mob = subprocess.Popen(
            [sys.executable, "-m", "tests.attacks.mob", api.url, theirs, str(_SECONDS)],
            cwd=CHECKOUT,
        )
        try:
            with awake_clock() as awake:
                waits_s = _send_until_ended(api, mob, awake)
        finally:
            mob.kill()
            mob.wait()

        # The mob takes a core for itself, and nobody is kept waiting until the mob has had enough.
        assert sorted(waits_s)[len(waits_s) // 2] < _SECONDS / 2
        assert max(waits_s) < AT_ALL_S / 4
        assert ask(api.url).status == 200
        assert _peak_mib(api.process.pid) - before < _MAX_GROWTH_MIB


def _send_until_ended(
    api: OneProcess, mob: subprocess.Popen[bytes], awake: AwakeClock
) -> list[float]:
    """Send again and again, each time on a connection of its own from an address of its own."""
    waits_s = []
    while mob.poll() is None:
        started_s, awake_s = time.monotonic(), awake.monotonic_s()
        client = http.client.HTTPConnection(
            urlsplit(api.url).netloc, timeout=AT_ALL_S, source_address=("127.0.0.2", 0)
        )
        headers = {"Authorization": f"Bearer {api.key}", "Content-Type": "application/json"}
        client.request("POST", f"{PREFIX}/send", json.dumps(MAIL), headers)
        answer = client.getresponse()
        said = answer.read()
        client.close()
        waits_s.append(awake.monotonic_s() - awake_s)
        # Where the machine stood still, the database did not answer in time.
        stood_still_s = time.monotonic() - started_s - waits_s[-1]
        assert answer.status == 202 or stood_still_s > _STILL_S, said
        time.sleep(0.05)
    return waits_s


def _key_of_another_service(folder: Path) -> str:
    settings = KeySettings.from_env(
        {
            "NOTIFIER_DATABASE_URL": f"sqlite:///{folder / 'notifier.db'}",
            "NOTIFIER_KEY_PEPPER_FILE": str(folder / "key-pepper"),
        }
    )
    return asyncio.run(create_key(settings, "mob", ["send", "read"], None))


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024
