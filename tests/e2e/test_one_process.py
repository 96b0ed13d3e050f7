import asyncio
import json
import re
import signal
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.contract.store.stores import envelope_of, open_stores
from tests.e2e.client import IN_APP, MAIL, PREFIX, SMS, Service
from tests.e2e.one_process import OneProcess, one_process
from tests.e2e.processes import CHECKOUT, NOTIFIER, run, running
from tests.patience import AT_ALL_S
from tests.servers.processes import wait_until
from tests.servers.smtp import SmtpServer

SCRIPT = (str(CHECKOUT / "scripts" / "run"),)
IN_FLIGHT = 3 * 64
"""The consumers of all channels, each with at most one notification in hand."""


@pytest.fixture(scope="module")
def notifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    """A one-process mode that the module's tests share."""
    with one_process(tmp_path_factory.mktemp("one-process") / ".notifier") as started:
        yield started


def captures_of(service: Service, *ids: str) -> list[dict[str, Any]]:
    """What the sandbox captured of these notifications, newest first."""
    page = service.get("/api/v1/sandbox/messages", limit=100)
    return [item for item in page["items"] if item["id"] in ids]


def all_captured(service: Service) -> list[str]:
    """The ids of everything that the sandbox captured."""
    found: list[str] = []
    path: str | None = "/api/v1/sandbox/messages?limit=100"
    while path:
        page = service.get(path)
        found += [item["id"] for item in page["items"]]
        path = page["next"]
    return found


def test_the_script_prints_a_curl_line_that_sends_a_mail(tmp_path: Path, shell_path: str) -> None:
    with one_process(tmp_path / "data", command=SCRIPT) as notifier:
        pasted = subprocess.run(
            ["bash", "-c", f"{notifier.curl_line()} -i"],
            env={"PATH": shell_path},
            check=True,
            capture_output=True,
            text=True,
            timeout=AT_ALL_S,
        )
        head, _, body = pasted.stdout.partition("\n\n")
        accepted = json.loads(body)
        sent = notifier.service.await_status(accepted["id"])
        [capture] = captures_of(notifier.service, accepted["id"])
        page = notifier.service.client.get("/sandbox")
        script = notifier.service.client.get("/static/sandbox.js")

        assert head.startswith("HTTP/1.1 202")
        assert f"location: {PREFIX}/{accepted['id']}" in head
        assert accepted["status"] == "pending"
        assert [each["event"] for each in sent["history"]] == ["accept", "claim", "succeed"]
        assert (sent["status"], sent["attempts"]) == ("sent", 1)
        assert capture["subject"] == "Order 42"
        assert capture["recipient"] == "ada@example.com"
        assert 'src="static/sandbox.js"' in page.text
        assert "api/v1/sandbox/messages" in script.text
        assert notifier.process.stop(signal.SIGINT) == 0


def test_an_sms_is_captured_by_the_sandbox(notifier: OneProcess) -> None:
    id = notifier.service.send(SMS, content="Code {{ code }}", variables={"code": 7391})

    assert notifier.service.await_status(id)["status"] == "sent"
    [capture] = captures_of(notifier.service, id)
    assert (capture["type"], capture["text"]) == ("sms", "Code 7391")
    assert capture["recipient"] == "+491701234567"


def test_an_in_app_notification_is_unread_until_it_is_marked(notifier: OneProcess) -> None:
    ids = [notifier.service.send(IN_APP, recipient="reader") for _ in range(2)]
    for id in ids:
        notifier.service.await_status(id)
    before = notifier.service.get("/api/v1/inbox/reader")
    one = notifier.service.post(f"/api/v1/inbox/reader/{ids[0]}/read")
    between = notifier.service.get("/api/v1/inbox/reader")
    all = notifier.service.post("/api/v1/inbox/reader/read")
    after = notifier.service.get("/api/v1/inbox/reader")

    assert (one.status_code, all.status_code) == (204, 204)
    assert {item["id"] for item in before["items"]} == set(ids)
    assert [page["unread_count"] for page in (before, between, after)] == [2, 1, 0]


def test_a_stream_resumes_after_the_last_event_seen(notifier: OneProcess) -> None:
    service = notifier.service
    with service.stream("watcher") as stream:
        assert stream.next().name == "open"
        first = service.send(IN_APP, recipient="watcher", content="one")
        seen = stream.next()
    missed = service.send(IN_APP, recipient="watcher", content="two")
    service.await_status(missed)
    with service.stream("watcher", last_event_id=seen.id) as stream:
        opened, resumed = stream.next(), stream.next()
        live = service.send(IN_APP, recipient="watcher", content="three")
        arrived = stream.next()

    assert (seen.content["id"], seen.content["text"]) == (first, "one")
    assert (opened.name, opened.id) == ("open", seen.id)
    assert [resumed.content["id"], arrived.content["id"]] == [missed, live]
    assert [seen.id, resumed.id, arrived.id] == ["1", "2", "3"]


def test_a_scheduled_notification_is_sent_at_its_time_and_not_before(notifier: OneProcess) -> None:
    send_at = (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0)
    id = notifier.service.send(MAIL, send_at=send_at.isoformat())

    waiting = notifier.service.status(id)
    sent = notifier.service.await_status(id)

    assert waiting["status"] == "pending"
    assert datetime.fromisoformat(waiting["due_at"]) == send_at
    claimed = next(each for each in sent["history"] if each["event"] == "claim")
    assert datetime.fromisoformat(claimed["at"]) >= send_at
    assert sent["status"] == "sent"


def test_a_cancelled_notification_is_not_sent(notifier: OneProcess) -> None:
    send_at = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    cancelled, witness = (notifier.service.send(MAIL, send_at=send_at) for _ in range(2))

    answer = notifier.service.post(f"{PREFIX}/{cancelled}/cancel")
    notifier.service.await_status(witness)
    again = notifier.service.post(f"{PREFIX}/{witness}/cancel")

    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert notifier.service.status(cancelled)["status"] == "cancelled"
    assert captures_of(notifier.service, cancelled) == []
    assert again.status_code == 409


def test_a_restart_keeps_the_key_and_every_answer_to_an_idempotency_key(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with one_process(folder) as first:
        earlier = first.service.post(f"{PREFIX}/send", MAIL, Idempotency_Key="order-1")
        first.service.await_status(earlier.json()["id"])
        assert first.process.stop() == 0
    with one_process(folder) as second:
        later = second.service.post(f"{PREFIX}/send", MAIL, Idempotency_Key="order-1")
        other = second.service.post(f"{PREFIX}/send", SMS, Idempotency_Key="order-1")
        account = second.service.account()

    assert second.key == first.key
    assert (later.status_code, later.json()) == (202, earlier.json())
    assert other.status_code == 422
    assert account["accepted"] == 1


def test_the_data_is_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with one_process(folder) as notifier:
        kept = (folder / "api-key").read_text().strip()

        assert kept == notifier.key
        assert (folder / "api-key").stat().st_mode & 0o777 == 0o600
        assert (folder / "key-pepper").stat().st_mode & 0o777 == 0o600
        assert (folder / "content-key").stat().st_mode & 0o777 == 0o600
        assert folder.stat().st_mode & 0o777 == 0o700


def smtp_settings(server: SmtpServer) -> Mapping[str, str]:
    """Settings that hand mail to `server`."""
    return {
        "NOTIFIER_EMAIL__PROVIDERS": "smtp",
        "NOTIFIER_SMTP__HOST": server.host,
        "NOTIFIER_SMTP__PORT": str(server.port),
        "NOTIFIER_SMTP__SECURITY": "none",
    }


def test_ctrl_c_finishes_what_is_in_flight(tmp_path: Path, smtp_server: SmtpServer) -> None:
    smtp_server.delay("DATA", 1.5)
    folder = tmp_path / "data"
    settings = smtp_settings(smtp_server)
    with one_process(folder, settings) as notifier:
        id = notifier.service.send(MAIL)
        notifier.service.await_status(id, {"processing"})
        assert notifier.process.stop(signal.SIGINT) == 0
        assert "Traceback" not in notifier.process.output
    with one_process(folder, settings) as notifier:
        history = notifier.service.status(id)["history"]

    assert [each["event"] for each in history] == ["accept", "claim", "succeed"]
    assert len(smtp_server.received) == 1


class Load:
    """Sends batches until the API is gone; knows what was accepted."""

    def __init__(self, service: Service) -> None:
        self.accepted: list[str] = []
        self._service = service
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self) -> None:
        with suppress(httpx2.TransportError):
            while True:
                self.accepted += self._service.send_batch([MAIL, SMS] * 25)

    def join(self) -> None:
        self._thread.join(timeout=AT_ALL_S)


def test_everything_accepted_is_sent_after_a_kill_under_load(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with one_process(folder) as killed:
        load = Load(killed.service)
        wait_until(lambda: len(load.accepted) >= 500, timeout_s=AT_ALL_S, what="load")
        assert killed.process.stop(signal.SIGKILL) == -signal.SIGKILL
        load.join()
    with one_process(folder) as restarted:
        accepted = restarted.service.account()["accepted"]
        states = restarted.service.await_settled(accepted)
        captured = all_captured(restarted.service)

    assert accepted >= len(load.accepted)
    assert states == {"sent": accepted}
    assert set(load.accepted) <= set(captured)
    # What was in flight when it was killed may have been handed over twice, and is counted so.
    doubled = len(captured) - len(set(captured))
    assert doubled <= IN_FLIGHT


def test_a_second_one_process_mode_on_a_folder_is_refused(
    notifier: OneProcess, tmp_path: Path
) -> None:
    [folder] = re.findall(r"kept in (\S+)/api-key", notifier.process.output)
    environ = {
        name: value.format(folder=folder if name == "NOTIFIER_DATABASE_URL" else tmp_path)
        for name, value in GOOD.items()
    }

    for ended in (
        run("dev", "--folder", folder, environ={"NOTIFIER_PORT": "0"}),
        run("serve", environ=environ),
    ):
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr.count("\n") == 1
        assert f"{folder}: another notifier works in this folder" in ended.stderr
        assert f"process {notifier.process.pid}" in ended.stderr
    notifier.service.await_status(notifier.service.send(MAIL))


def test_a_killed_one_process_mode_keeps_nobody_out(tmp_path: Path) -> None:
    for number in (signal.SIGKILL, signal.SIGTERM):
        with one_process(tmp_path) as notifier:
            notifier.process.stop(number)


def test_a_start_while_others_write_to_the_database_ends_in_work(tmp_path: Path) -> None:
    environ = {name: value.format(folder=tmp_path) for name, value in GOOD.items()}
    url = environ["NOTIFIER_DATABASE_URL"]
    assert run("db", "upgrade", environ=environ).returncode == 0
    asyncio.run(leave_behind(url))

    with closing(sqlite3.connect(tmp_path / "notifier.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        with running([*NOTIFIER, "serve"], environ) as process:
            at = process.line(r'"url":"(\S+?)"|url=(\S+)')
            process.line("workers.delayed")
            assert httpx2.get(f"{at[1] or at[2]}/healthz").status_code == 200
            database.execute("ROLLBACK")

            wait_until(lambda: sent_in(database) == 2, timeout_s=AT_ALL_S, what="both sent")


async def leave_behind(url: str) -> None:
    """What a process before had queued, and what it held, when it was killed."""
    async with open_stores(url) as stores:
        await stores.publications.mark_published([envelope_of(await stores.accept())])
        await stores.claim(envelope_of(await stores.accept()), "inside")


def sent_in(database: sqlite3.Connection) -> int:
    [(count,)] = database.execute("SELECT count(*) FROM notifications WHERE status = 'sent'")
    return int(count)


def test_a_port_that_is_taken_is_named_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run("dev", "--folder", str(tmp_path), environ={"NOTIFIER_PORT": port})

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert f"127.0.0.1:{port}: Address already in use" in ended.stderr


GOOD: Mapping[str, str] = {
    "NOTIFIER_DATABASE_URL": "sqlite:///{folder}/notifier.db",
    "NOTIFIER_BROKER_URL": "memory://",
    "NOTIFIER_KEY_PEPPER": "a pepper that is long enough",
    "NOTIFIER_EMAIL__PROVIDERS": "sandbox",
    "NOTIFIER_SMS__PROVIDERS": "sandbox",
    "NOTIFIER_PORT": "0",
}
