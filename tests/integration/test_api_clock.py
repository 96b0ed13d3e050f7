"""An API whose machine has the wrong time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import httpx2
import pytest

from notifier.api.app import create_app
from notifier.api.kit.config import ApiConfig
from notifier.store.kit.clock import DatabaseClock
from notifier.store.notification.reading import SqlQueryStore
from tests.api import MAIL, PEPPER, PREFIX, Api, client_of, serving
from tests.contract.store.test_clock import Machine

SOON, PAST = timedelta(minutes=2), timedelta(minutes=-1)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


@asynccontextmanager
async def off_by(api: Api, ahead_s: float) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of another API process over the same database, on a machine of its own."""
    database = cast("SqlQueryStore", api.services.queries)._database  # noqa: SLF001
    clock = DatabaseClock(database, Machine(ahead_s))
    await clock.measure()
    services = replace(api.services, clock=clock, clock_problem=clock.problem)
    async with client_of(create_app(services, ApiConfig(pepper=PEPPER))) as client:
        client.headers.update(api.client.headers)
        yield client


@pytest.mark.parametrize("ahead_s", [300, 0, -300])
async def test_times_are_judged_by_the_database_and_not_by_the_machine(
    api: Api, ahead_s: float
) -> None:
    async with off_by(api, ahead_s) as client:

        async def send(**times: timedelta) -> httpx2.Response:
            at = {name: (datetime.now(UTC) + time).isoformat() for name, time in times.items()}
            return await client.post(f"{PREFIX}/send", json={**MAIL, **at})

        scheduled, lasting = await send(send_at=SOON), await send(expires_at=SOON)
        late, overdue = await send(send_at=PAST), await send(expires_at=PAST)

    assert scheduled.json()["send_at"] is not None
    assert (late.status_code, late.json()["send_at"]) == (202, None)
    assert (lasting.status_code, overdue.status_code) == (202, 422)


@pytest.mark.parametrize(
    ("ahead_s", "problem"),
    [(300, "this machine's clock is 300 s ahead of the database's"), (0, None)],
)
async def test_a_wrong_clock_is_shown_and_is_no_failure(
    api: Api, ahead_s: float, problem: str | None
) -> None:
    async with off_by(api, ahead_s) as client:
        ready = await client.get("/readyz")

    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert ready.json()["clock"] == {"ok": problem is None, "problem": problem}
