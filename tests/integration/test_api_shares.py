"""What one service may have under way at the database at once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from notifier.api.app import create_app
from notifier.api.kit.config import ApiConfig
from tests.api import MAIL, PEPPER, PREFIX, Api, client_of, serving
from tests.patience import AT_ALL_S

MANY = 20
CONFIG = ApiConfig(pepper=PEPPER, reads_at_once=3, changes_at_once=2)

Call: TypeAlias = Callable[..., Coroutine[Any, Any, Any]]


class Counted:
    """Something real; `peaks` tells how many calls of one name there were at once."""

    def __init__(self, inner: object, first: asyncio.Barrier | None = None) -> None:
        """Calls wait at `first` for one another."""
        self._inner = inner
        self._first = first
        self._now: dict[str, int] = {}
        self.peaks: dict[str, int] = {}

    def __getattr__(self, name: str) -> Call:
        method: Call = getattr(self._inner, name)

        async def call(*args: object, **options: object) -> object:
            now = self._now[name] = self._now.get(name, 0) + 1
            self.peaks[name] = max(self.peaks.get(name, 0), now)
            try:
                if self._first:
                    await self._first.wait()
                return await method(*args, **options)
            finally:
                self._now[name] -= 1

        return call


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


async def _statuses(api: Api, method: str, path: str, **request: Any) -> tuple[set[int], Counted]:
    """Ask so many times at once; returns what was answered, and how it came through."""
    counted = Counted(api.services.inbox)
    # Who drafts first looks up what the others find there: they do not come at the same time.
    submitter: Any = Counted(api.services.submitter, asyncio.Barrier(MANY))
    services = replace(api.services, inbox=counted, submitter=submitter)
    async with client_of(create_app(services, CONFIG)) as client, asyncio.timeout(AT_ALL_S):
        headers = api.client.headers
        asked = (client.request(method, path, headers=headers, **request) for _ in range(MANY))
        answers = await asyncio.gather(*asked)
    counted.peaks |= submitter.peaks
    return {answer.status_code for answer in answers}, counted


async def test_a_service_changes_so_much_at_once(api: Api) -> None:
    id = await api.deliver_in_app("bob", "hello")

    for path in ("/api/v1/inbox/bob/read", f"/api/v1/inbox/bob/{id}/read"):
        statuses, counted = await _statuses(api, "POST", path)

        assert statuses == {204}
        assert counted.peaks["mark"] == CONFIG.changes_at_once


async def test_a_service_reads_so_much_at_once(api: Api) -> None:
    statuses, counted = await _statuses(api, "GET", "/api/v1/inbox/bob")

    assert statuses == {200}
    assert counted.peaks["page"] == CONFIG.reads_at_once


async def test_sends_wait_for_no_turn(api: Api) -> None:
    statuses, counted = await _statuses(api, "POST", f"{PREFIX}/send", json=MAIL)

    assert statuses == {202}
    assert max(counted.peaks.values()) == MANY
