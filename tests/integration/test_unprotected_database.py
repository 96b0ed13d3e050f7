"""A database that others may listen to, or read codes in, is told of once, at the start."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import pytest

from tests.servers.processes import free_port


@contextmanager
def started(command: str, query: str, **more: str) -> Iterator[Iterator[str]]:
    """Yield the events that a process logs, one after the other."""
    process = subprocess.Popen(
        [sys.executable, "-m", "notifier", command],
        env={
            "PATH": os.environ["PATH"],
            "NOTIFIER_DATABASE_URL": f"postgresql://ada:secret@db.invalid/name{query}",
            "NOTIFIER_BROKER_URL": f"amqp://127.0.0.1:{free_port()}",
            "NOTIFIER_KEY_PEPPER": "a-pepper-of-some-length",
            "NOTIFIER_EMAIL__PROVIDERS": "sandbox",
            "NOTIFIER_SMS__PROVIDERS": "sandbox",
            "NOTIFIER_PORT": "0",
            **more,
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield (orjson.loads(line)["event"] for line in process.stdout)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("command", ["serve", "work"])
def test_a_database_that_anybody_may_listen_to_is_told_of_at_the_start(command: str) -> None:
    with started(command, "") as events:
        assert next(events) == "database.unprotected"
    with started(command, "?sslmode=disable") as events:
        assert next(events) != "database.unprotected"


@pytest.mark.parametrize("command", ["serve", "work"])
def test_content_that_is_stored_as_it_is_is_told_of_at_the_start(command: str) -> None:
    query, key = "?sslmode=disable", {"NOTIFIER_SECRETS__CONTENT_KEYS": "a-key-of-some-length"}
    with started(command, query) as events:
        assert next(events) == "content.unsealed"
    with started(command, query, **key) as events:
        assert next(events) != "content.unsealed"
