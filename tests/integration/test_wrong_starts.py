"""What `notifier serve` says, in one line, where it cannot start."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest

from notifier.commands import app
from tests.e2e.processes import environment

Serve: TypeAlias = Callable[[Mapping[str, str]], str]

GOOD: Mapping[str, str] = {
    "NOTIFIER_BROKER_URL": "memory://",
    "NOTIFIER_KEY_PEPPER": "a pepper that is long enough",
    "NOTIFIER_SECRETS__CONTENT_KEYS": "a key that is long enough for contents",
    "NOTIFIER_EMAIL__PROVIDERS": "sandbox",
    "NOTIFIER_SMS__PROVIDERS": "sandbox",
    "NOTIFIER_PORT": "0",
}


@pytest.fixture
def serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Serve:
    """Return what serves with these settings, and an empty database, and returns what it says."""
    for name in environment({}).keys() ^ os.environ.keys():
        monkeypatch.delenv(name)

    def run(environ: Mapping[str, str]) -> str:
        monkeypatch.setenv("NOTIFIER_DATABASE_URL", f"sqlite:///{tmp_path}/notifier.db")
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        assert app.run(["serve"]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        return err

    return run


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NOTIFIER_BROKER_URL", None),
        ("NOTIFIER_BROKER_URL", "kafka://localhost"),
        ("NOTIFIER_DATABASE_URL", "mysql://localhost/canary"),
        ("NOTIFIER_KEY_PEPPER", "canary"),
        ("NOTIFIER_PORT", "http"),
        ("NOTIFIER_SMS__PROVIDERS", "pigeon"),
        ("NOTIFIER_EMAIL__PROVIDERS", None),
        ("NOTIFIER_SMTP__HOTS", "localhost"),
        ("NOTIFIER_KEY_PEPPER_FILE", "/nonexistent"),
        ("NOTIFIER_HOST", "256.0.0.1"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(
    serve: Serve, variable: str, value: str | None
) -> None:
    good = {name: each for name, each in GOOD.items() if name != variable}

    said = serve(good if value is None else {**good, variable: value})

    assert variable in said
    assert "canary" not in said


def test_an_empty_database_says_what_to_run(serve: Serve) -> None:
    assert "notifier db upgrade" in serve(GOOD)
