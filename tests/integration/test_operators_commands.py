"""Pausing providers and keeping suppression lists from the command line."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import pytest

from notifier import __version__
from notifier.access import keys
from notifier.audience.pseudonym import Pseudonyms
from notifier.commands import app
from notifier.content.library import TemplateDraft
from notifier.content.template import Content
from notifier.intake.ports import Submission
from notifier.notification.model import Channel
from notifier.notification.transitions import FAIL, SUCCEED
from notifier.roster import Role, Seen, State
from tests.contract.store.stores import a_submission, open_stores
from tests.contract.store.test_roster import a_process
from tests.schema import sqlite_database
from tests.servers.rabbitmq import RabbitMq

Command: TypeAlias = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return what runs a command: its exit code, stdout and stderr."""
    url = sqlite_database(tmp_path / "notifier.db")
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", url)

    def run(line: str) -> tuple[int, str, str]:
        code = app.run(line.split())
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_provider_is_paused_and_resumed(command: Command) -> None:
    assert command("providers pause smtp --reason maintenance") == (0, "Paused smtp.\n", "")
    _, listed, _ = command("providers list")
    assert listed == (
        "provider\tasked\tstate\tsince\tasked again in s\ttrips\tput off\treason\n"
        "smtp\t\tpaused\t\t\t0\t0\tmaintenance\n"
    )

    assert command("providers resume smtp") == (0, "Resumed smtp.\n", "")
    assert "closed" in command("providers list")[1]


def test_a_provider_that_there_is_not_is_refused_with_those_that_there_are(
    command: Command,
) -> None:
    for order in ("pause", "resume"):
        code, _, problem = command(f"providers {order} smpt")

        assert code == 2
        assert "sendgrid, ses, smtp, twilio" in problem


def test_an_address_is_put_on_a_list_and_taken_off(command: Command) -> None:
    where = "--service orders --type email"
    assert command(f"suppressions add anna@EXAMPLE.com {where} --reason spam_report")[0] == 0
    assert command("suppressions add +491701234567 --service payments --type sms")[0] == 0

    _, listed, _ = command("suppressions list")
    assert [line.split("\t")[:5] for line in listed.splitlines()] == [
        ["service", "type", "recipient", "category", "reason"],
        ["payments", "sms", "+491701234567", "", "manual"],
        ["orders", "email", "anna@example.com", "", "spam_report"],
    ]
    assert len(command("suppressions list --service orders")[1].splitlines()) == 2
    assert len(command("suppressions list --type sms")[1].splitlines()) == 2

    code, _, problem = command(f"suppressions remove anna@example.com {where}")
    assert code == 2
    assert "--reason" in problem
    assert command(f"suppressions remove ANNA@example.com {where} --reason asked")[0] == 0
    code, _, problem = command(f"suppressions remove anna@example.com {where}")
    assert code == 1
    assert "not on this list" in problem
    assert command(f"suppressions add anna {where}")[0] == 2


def test_an_erased_address_is_taken_off_where_the_secret_is_known(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "of-sixteen-chars"
    where = "--service orders --type email"
    command(f"suppressions add anna@example.com {where}")
    hashed = Pseudonyms(secret.encode()).of("orders", Channel.EMAIL, "anna@example.com")
    with closing(sqlite3.connect(tmp_path / "notifier.db")) as database, database:
        database.execute("UPDATE suppressions SET recipient = ?", [hashed])

    assert command(f"suppressions remove anna@example.com {where}")[0] == 1
    monkeypatch.setenv("NOTIFIER_KEY_PEPPER", "another-of-sixteen")
    assert command(f"suppressions remove anna@example.com {where}")[0] == 1
    monkeypatch.setenv("NOTIFIER_ERASURE__KEY", secret)
    assert hashed in command("suppressions list")[1]
    assert command(f"suppressions remove anna@example.com {where}")[0] == 0


def test_a_service_s_senders_are_set_listed_and_removed(command: Command) -> None:
    where = "--service orders"
    assert command(f"senders set default orders@b\u00fccher.example {where}")[0] == 0
    answer = command(f"senders set news news@shop.example {where} --display-name News")
    assert answer == (0, "orders may send as News <news@shop.example>, news.\n", "")
    assert command("senders set news n@shop.example --service x --reply-to h@shop.example")[0] == 0

    listed = command(f"senders list {where}")[1].splitlines()
    assert [line.split("\t")[:5] for line in listed] == [
        ["service", "name", "address", "display name", "reply to"],
        ["orders", "default", "orders@xn--bcher-kva.example", "", ""],
        ["orders", "news", "news@shop.example", "News", ""],
    ]
    assert len(json.loads(command("senders list --json")[1])) == 3

    assert command(f"senders remove news {where}") == (0, "It is gone.\n", "")
    assert command(f"senders remove news {where}")[0] == 1
    for wrong in ("News news@shop.example", "news nobody", "news n@shop.example --reply-to nobody"):
        code, _, problem = command(f"senders set {wrong} {where}")
        assert code == 2
        assert "expected" in problem


def test_rules_of_retention_are_set_listed_and_removed(command: Command) -> None:
    assert command("retention set orders --content-days 30") == (
        0, "orders: content for 30 days, all of it for ever.\n", "",
    )  # fmt: skip
    assert command("retention set orders --type sms --content-days 7 --rows-days 90")[0] == 0

    listed = [line.split("\t")[:4] for line in command("retention list")[1].splitlines()]
    assert listed[1:] == [["orders", "", "30", ""], ["orders", "sms", "7", "90"]]

    assert command("retention remove orders --type sms") == (0, "It is gone.\n", "")
    assert command("retention remove orders --type sms")[0] == 1
    assert command("retention set orders --rows-days 6")[0] == 2


def test_an_erasure_is_asked_for_shown_and_its_receipt_verified(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NOTIFIER_KEY_PEPPER", "a-pepper-of-some-length")
    monkeypatch.setenv("NOTIFIER_BROKER_URL", "memory://")
    where = "--service orders --reason user_request"

    code, id, _ = command(f"erasures begin u-7 {where} --also email:ada@example.com")

    assert code == 0
    assert json.loads(command(f"erasures show {id.strip()}")[1]) == {
        "state": "running", "erased": {},
    }  # fmt: skip
    assert command(f"erasures show {uuid4()}")[0] == 1
    for wrong in (f"{where} --also ada@example.com", "--service orders --reason of_u-7"):
        assert command(f"erasures begin u-7 {wrong}")[0] == 2
    receipt = tmp_path / "receipt.json"
    made = Pseudonyms(b"a-pepper-of-some-length").sealed({"id": "e", "finished_at": "today"})
    receipt.write_text(json.dumps(made))
    assert command(f"erasures verify {receipt}") == (0, "Genuine: e, finished today.\n", "")
    receipt.write_text(json.dumps({**made, "id": "f"}))
    assert command(f"erasures verify {receipt}")[0] == 1


def test_what_is_not_replayed_is_named_with_the_reason(command: Command) -> None:
    async def make() -> tuple[str, str, str]:
        async with open_stores(os.environ["NOTIFIER_DATABASE_URL"]) as stores:
            failed = await stores.ended(FAIL)
            erased = await stores.ended(FAIL, a_submission(sensitive=True))
            sent = await stores.ended(SUCCEED)
            return str(failed.id), str(erased.id), str(sent.id)

    failed, erased, sent = asyncio.run(make())
    nobody = str(uuid4())

    code, out, problem = command(f"dead-letters replay {failed} {failed} {erased} {sent} {nobody}")

    assert (code, out) == (1, "Replayed 1 of 4.\n")
    assert problem == (
        f"notifier: {erased} cannot be replayed: what it said is erased; "
        f"{sent} is sent: only what is failed can be replayed; {nobody} is no notification\n"
    )
    code, out, _ = command("dead-letters replay --all")
    assert (code, out) == (0, "Replayed 0.\n1 could not be: what they said is erased.\n")
    for wrong in ("dead-letters replay", f"dead-letters replay --all {failed}"):
        assert command(wrong)[0] == 2


def test_a_group_is_replayed_followed_and_taken_back_by_commands(command: Command) -> None:
    async def make() -> None:
        async with open_stores(os.environ["NOTIFIER_DATABASE_URL"]) as stores:
            for _ in range(2):
                await stores.ended(FAIL)

    async def work_off() -> None:
        async with open_stores(os.environ["NOTIFIER_DATABASE_URL"]) as stores:
            while await stores.replaying.step(9) or await stores.replaying.undo(9):
                pass

    asyncio.run(make())
    wanted = "--service orders --channel email --code 421 --provider smtp --since 2026-01-01"

    code, out, problem = command(f"dead-letters groups {wanted}")
    assert (code, problem) == (0, "2 selected: 2 to replay.\n")
    assert out.splitlines()[1].startswith("2\temail\tsmtp\t421\t\torders\t")
    tried = json.loads(command(f"dead-letters replay {wanted} --rate 50 --dry-run --json")[1])
    assert (tried["selected"], tried["skipped"], tried["is_part"]) == (2, {}, False)
    assert command("replays list --json")[1] == "[]\n"

    code, id, _ = command(f"dead-letters replay {wanted} --rate 50")
    id = id.strip()
    assert command(f"replays pause {id}") == (0, "It is paused.\n", "")
    assert command(f"replays resume {id}") == (0, "It goes on.\n", "")
    asyncio.run(work_off())
    shown = json.loads(command(f"replays show {id} --json")[1])
    assert (shown["state"], shown["replayed"], shown["by_status"]) == ("done", 2, {"pending": 2})
    assert command(f"replays stop {id}")[0] == 1
    assert command(f"replays undo {id}")[0] == 0
    asyncio.run(work_off())
    assert "state: undone\n" in command(f"replays show {id}")[1]
    assert command(f"replays show {uuid4()}")[0] == 1

    assert command("dead-letters discard --reason over")[0] == 2
    discarded = command("dead-letters discard --code 421 --reason over")
    assert discarded == (0, "Discarded 2.\n", "")
    assert command("dead-letters groups")[2] == "0 selected: 0 to replay.\n"


def test_every_list_is_to_be_had_as_json_and_by_service(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFIER_KEY_PEPPER", "a-pepper-of-some-length")
    for service in ("orders", "payments"):
        assert command(f"keys create --service {service} --scope send --scope read")[0] == 0
        where = f"--service {service} --type email"
        assert command(f"suppressions add ada@example.com {where}")[0] == 0

    (key,) = json.loads(command("keys list --json --service orders")[1])
    (suppressed,) = json.loads(command("suppressions list --json --service orders")[1])

    assert (key["service"], key["scopes"], key["state"]) == ("orders", ["read", "send"], "usable")
    assert key["expires"] is None
    assert datetime.fromisoformat(key["made"]).tzinfo is not None
    assert suppressed["recipient"] == "ada@example.com"
    assert len(json.loads(command("keys list --json")[1])) == 2
    for line in ("providers list --json", "dead-letters list --json --service orders"):
        assert json.loads(command(line)[1]) == []
    assert command("keys list --service nobody")[1].splitlines() == [
        "id\tservice\tscopes\tmade\texpires\tstate"
    ]


def test_the_reason_of_a_pause_stays_one_cell(command: Command) -> None:
    assert app.run(["providers", "pause", "smtp", "--reason", "a\tb\nc"]) == 0

    assert command("providers list")[1].splitlines()[-1].endswith("\ta b c")


def test_a_reason_of_nothing_is_no_reason(command: Command) -> None:
    where = ["anna@example.com", "--service", "orders", "--type", "email"]
    assert app.run(["suppressions", "add", *where, "--reason", "unsubscribed"]) == 0

    for nothing in ("", "  "):
        assert app.run(["suppressions", "remove", *where, "--reason", nothing]) == 2

    assert "anna@example.com" in command("suppressions list")[1]


def test_nobodys_list_takes_no_address(command: Command) -> None:
    where = ["anna@example.com", "--type", "email", "--service", ""]

    assert app.run(["suppressions", "add", *where]) == 2

    assert len(command("suppressions list")[1].splitlines()) == 1


def test_a_key_is_revoked_by_itself_too_and_never_repeated(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFIER_KEY_PEPPER", "a-pepper-of-some-length")
    key = command("keys create --service orders --scope send")[1].strip()
    unknown = keys.mint()

    assert command(f"keys revoke {key}") == (0, f"Revoked {key.split('_')[1]}.\n", "")
    code, out, problem = command(f"keys revoke {unknown.text}")

    assert (code, out) == (2, "")
    assert "there is no API key with this id" in problem
    assert unknown.text.split("_")[2] not in problem


def test_a_keys_end_is_within_a_hundred_years(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFIER_KEY_PEPPER", "a-pepper-of-some-length")

    for days in (0, 36_501, 999_999_999):
        assert (
            command(f"keys create --service orders --scope send --expires-in-days {days}")[0] == 2
        )


@pytest.mark.parametrize("order", ["apply", "check"])
def test_without_a_broker_there_are_no_queues(
    command: Command, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setenv("NOTIFIER_BROKER_URL", "memory://")

    code, _, problem = command(f"topology {order}")

    assert code == 2
    assert "memory:// has no broker" in problem


@pytest.mark.parametrize("line", ["serve", "work", "topology apply", "topology check"])
def test_a_broker_url_that_cannot_be_read_ends_every_command_at_its_start(
    command: Command, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setenv("NOTIFIER_BROKER_URL", "amqp://canary-1:canary-2@a:5672,canary-3:x/canary-4")
    monkeypatch.setenv("NOTIFIER_KEY_PEPPER", "a-pepper-of-some-length")
    monkeypatch.setenv("NOTIFIER_EMAIL__PROVIDERS", "sandbox")
    monkeypatch.setenv("NOTIFIER_SMS__PROVIDERS", "sandbox")

    code, out, problem = command(line)

    assert code == 2
    assert problem.endswith("NOTIFIER_BROKER_URL: its port is no number from 1 to 65535\n")
    assert "canary" not in out + problem


@pytest.fixture
def broker_command(
    command: Command, monkeypatch: pytest.MonkeyPatch, rabbitmq: RabbitMq, amqp_url: str
) -> Command:
    """A command whose broker holds nothing yet."""
    monkeypatch.setenv("NOTIFIER_BROKER_URL", amqp_url)
    monkeypatch.setenv("NOTIFIER_BROKER_MANAGEMENT_URL", rabbitmq.management_url)
    return command


def test_the_topology_is_checked_and_made_by_its_commands(broker_command: Command) -> None:
    code, lacking, problem = broker_command("topology check")
    assert code == 1
    assert (
        "failed queue     email_notifications: missing; run: notifier topology apply\n" in lacking
    )
    assert "not all of it is as it must be" in problem

    assert broker_command("topology apply")[0] == 0
    code, found, _ = broker_command("topology check")
    assert code == 0
    assert {line.split()[0] for line in found.splitlines()} == {"found"}


def test_a_check_of_the_topology_is_told_as_json(broker_command: Command) -> None:
    code, told, _ = broker_command("topology check --json")

    assert code == 1
    assert {
        "kind": "exchange",
        "name": "notifications",
        "state": "failed",
        "detail": "missing; run: notifier topology apply",
    } in json.loads(told)


def test_a_notifications_way_is_told_without_its_address(command: Command) -> None:
    submission = a_submission()
    asyncio.run(_accept(submission))

    code, told, _ = command(f"status {submission.id}")
    first, heading, *steps = told.splitlines()

    assert (code, first) == (0, "pending: email of orders, attempts: 0")
    assert heading == "at\tevent\tattempt\tprovider\terror\tagain in s"
    assert [step.split("\t")[1] for step in steps] == ["accept"]
    assert submission.recipient not in told
    [step] = json.loads(command(f"status {submission.id} --json")[1])
    assert step["event"] == "accept"


def test_a_notification_is_sent_by_the_rules_of_the_api(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SANDBOX.items():
        monkeypatch.setenv(name, value)
    mail = "send --service support --type email --recipient Ada@Example.com --content Hello,{{n}}!"

    code, id, _ = command(f"{mail} --subject Test --variable n=Ada")
    assert code == 0
    assert command(f"status {id}")[1].startswith("pending: email of support, attempts: 0\n")

    code, said, problem = command(f"{mail} --variable m=Ada")
    assert (code, said) == (2, "")
    assert "content: " in problem
    assert "subject: an email needs a subject" in problem
    assert command(f"{mail} --subject Test --variable n")[0] == 2


def test_a_mail_is_sent_with_a_sender_and_headers_from_the_command_line(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SANDBOX.items():
        monkeypatch.setenv(name, value)
    mail = "send --service support --type email --recipient ada@example.com --content a --subject b"

    code, _, problem = command(f"{mail} --from news --reply-to nobody --header Bcc=e@x.io")
    assert code == 2
    assert "from: there is no such sender" in problem
    assert "reply_to: expected" in problem
    assert "headers.Bcc: " in problem
    assert command("senders set news news@shop.example --service support")[0] == 0
    assert command(f"{mail} --from news --reply-to h@x.example --header X-A=b")[0] == 0


def test_a_template_is_sent_from_the_command_line(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SANDBOX.items():
        monkeypatch.setenv(name, value)
    asyncio.run(_publish(BOOKED_SEATS))
    mail = "send --service support --type in_app --recipient ada --template seats"

    code, id, problem = command(f"{mail} --variable seats:=2 --locale de")
    assert (code, problem) == (0, "")
    assert command(f"status {id}")[1].startswith("pending: in_app of support")

    assert command(f"{mail}@1 --variable seats:=2")[0] == 0
    assert "template" in command(f"{mail}@2 --variable seats:=2")[2]
    assert "variables.seats: " in command(f"{mail} --variable seats=2")[2]
    for wrong in (f"{mail} --variable seats:=two", f"{mail}@first --variable seats:=2"):
        assert command(wrong)[0] == 2


BOOKED_SEATS = Content(
    default_locale="en",
    parts={"en": {Channel.IN_APP: {"text": "{{ seats }} seats"}}},
    schema={
        "type": "object",
        "properties": {"seats": {"type": "integer"}},
        "required": ["seats"],
    },
)


async def _publish(content: Content) -> None:
    async with open_stores(os.environ["NOTIFIER_DATABASE_URL"]) as stores:
        draft = await stores.templates.save(
            service="support", name="seats", content=content, if_match=None
        )
        assert isinstance(draft, TemplateDraft)
        await stores.templates.publish(draft=draft, compiled=content, id=uuid4())


SANDBOX = {
    "NOTIFIER_BROKER_URL": "memory://",
    "NOTIFIER_KEY_PEPPER": "a pepper of a test",
    "NOTIFIER_EMAIL__PROVIDERS": "sandbox",
    "NOTIFIER_SMS__PROVIDERS": "none",
}


def test_a_notification_that_there_is_not_is_told(command: Command) -> None:
    code, _, problem = command(f"status {uuid4()}")

    assert (code, problem) == (1, "notifier: there is no notification of this id\n")


async def _accept(submission: Submission) -> None:
    async with open_stores(os.environ["NOTIFIER_DATABASE_URL"]) as stores:
        await stores.accept(submission)


def test_the_version_is_told(command: Command) -> None:
    assert command("--version") == (0, f"notifier {__version__}\n", "")


@pytest.mark.parametrize("line", ["--help", "providers list", "providers list --json"])
@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.usefixtures("command")
def test_an_output_that_takes_nothing_is_told_in_one_line(line: str, buffered: str) -> None:
    environ = {**os.environ, "PYTHONUNBUFFERED": buffered}
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "notifier", *line.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environ,
            check=False,
        )

    assert ended.returncode == 1
    assert ended.stderr == (b"notifier: the output could not be written: No space left on device\n")


def test_a_newer_schema_is_nothing_to_do(command: Command, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "notifier.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999_of_the_future'")

    code, out, err = command("db upgrade")

    assert (code, err) == (0, "")
    assert out == "The schema is newer than this version, at 9999_of_the_future: nothing to do.\n"


def test_a_worker_is_listed_drained_and_taken_back(command: Command) -> None:
    async def beat() -> bool:
        async with open_stores(os.environ["NOTIFIER_DATABASE_URL"]) as stores:
            seen = Seen(state=State.RUNNING, up_s=5, consumes=["sms.high"], slots=4)
            return await stores.roster.beat(a_process(), seen)

    asyncio.run(beat())
    [listed] = json.loads(command("workers list --json")[1])
    assert (listed["name"], listed["state"], listed["slots"]) == ("host:1:a", "running", 4)
    assert listed["consumes"] == ["sms.high"]
    assert "host:1:a\tworker\trunning" in command("workers list")[1]

    assert command("workers drain host:1:a")[:2] == (
        0,
        "Asked host:1:a to drain: it hears of it within seconds.\n",
    )
    assert asyncio.run(beat()) is True
    assert command("workers resume host:1:a")[0] == 0
    assert asyncio.run(beat()) is False
    assert "workers drain" in command("audit list")[1]
    code, _, problem = command("workers drain host:2:b")
    assert (code, "no process 'host:2:b'" in problem) == (2, True)


def test_what_takes_no_notifications_is_not_drained(command: Command) -> None:
    async def beat() -> None:
        async with open_stores(os.environ["NOTIFIER_DATABASE_URL"]) as stores:
            runner = a_process("host:0:r", Role.RUNNER)
            await stores.roster.beat(runner, Seen(state=State.RUNNING, up_s=5))

    asyncio.run(beat())

    code, _, problem = command("workers drain host:0:r")

    assert (code, "it takes no notifications" in problem) == (1, True)
