"""The demo against a one-process mode: what its traffic comes to, and what it refuses."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifier.commands import app, demo
from notifier.commands.calling import ApiClient
from notifier.errors import SettingsError
from tests.e2e.one_process import OneProcess, one_process

_ORDERS = {"service": "orders"}


@pytest.fixture
def notifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OneProcess]:
    for name in ("NOTIFIER_DATABASE_URL", "NOTIFIER_DATABASE_URL_FILE"):
        monkeypatch.delenv(name, raising=False)
    with one_process(tmp_path / "data") as started:
        yield started


def test_the_demo_fills_the_console_with_what_goes_well_and_what_fails(
    notifier: OneProcess, tmp_path: Path
) -> None:
    line = ["demo", "--folder", str(tmp_path / "data"), "--url", notifier.url]

    assert app.run([*line, "--rate", "50", "--minutes", "0.05"]) == 0

    account = notifier.service.client.get("/api/v1/account").json()
    assert account["balanced"]
    assert account["accepted"] > 50


_PAGES = (
    "notifications", "templates", "rules", "categories", "topics", "broadcasts", "schedules",
    "suppressions", "events", "digests", "recipients", "senders", "audit",
)  # fmt: skip


def test_each_list_of_the_console_has_something_after_the_demo(
    notifier: OneProcess, tmp_path: Path
) -> None:
    line = ["demo", "--folder", str(tmp_path / "data"), "--url", notifier.url]

    assert app.run([*line, "--rate", "50", "--minutes", "0.05"]) == 0

    get = notifier.service.client.get
    found = {page: get(f"/api/v1/{page}", params=_ORDERS).json()["items"] for page in _PAGES}
    assert [page for page, items in found.items() if not items] == []
    assert {each["name"] for each in found["rules"]} == {"demo-comments", "demo-shipped"}
    assert {each["state"] for each in found["broadcasts"]} >= {"scheduled"}
    [replay] = get("/api/v1/replays").json()["items"]
    assert replay["expected"] > 0
    letters = get("/api/v1/dead-letters/groups", params=_ORDERS).json()["groups"]
    assert {each["error_code"] for each in letters} >= {"550", "554"}
    assert any(each["matched"] for each in found["events"])


def test_the_demo_can_be_run_again(notifier: OneProcess, tmp_path: Path) -> None:
    line = ["demo", "--folder", str(tmp_path / "data"), "--url", notifier.url]

    assert [app.run([*line, "--minutes", "0.01"]) for _ in range(2)] == [0, 0]

    schedules = notifier.service.client.get("/api/v1/schedules", params=_ORDERS).json()["items"]
    assert len(schedules) == 2


def test_a_notifier_that_would_really_send_is_left_alone(
    notifier: OneProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = ApiClient(url=notifier.url, key=notifier.key, service=None)
    demo.refuse_production(client)
    real = {"items": [{"name": "smtp", "channels": ["email"]}, {"name": "twilio", "channels": []}]}
    monkeypatch.setattr(ApiClient, "get", lambda *_path: real)

    with pytest.raises(SettingsError, match="by smtp: say --really-send"):
        demo.refuse_production(client)


def test_traffic_keeps_its_rate_and_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    sent: list[float] = []
    monkeypatch.setattr(demo.Traffic, "send", lambda _self: sent.append(clock[0]))

    def sleep(length_s: float) -> None:
        clock[0] += length_s

    traffic = demo.Traffic({}, random.Random(0))  # noqa: S311  it is not used
    demo.run(traffic, rate=4, length_s=2, now_s=lambda: clock[0], sleep=sleep)

    assert sent == [place / 4 for place in range(8)]
