"""The overview as it goes on, over a real server."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import pytest
import uvicorn

from notifier.api.app import create_app
from notifier.api.console.overview import following, looking
from notifier.api.kit.config import ApiConfig
from tests.api import PEPPER, Api, listening, serving
from tests.console import signed_in
from tests.patience import AT_ALL_S

STREAM = "/console/overview/stream"
CONFIG = ApiConfig(pepper=PEPPER, max_console_streams_each=1)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "EVERY_S", 0.02)
    monkeypatch.setattr(looking, "_FRESH_S", 0.0)


class Follower:
    """Reads what a stream shows."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def shown(self) -> str:
        """Return what it shows next.

        Raises:
            EOFError: it has ended.
        """
        lines: list[str] = []
        async with asyncio.timeout(AT_ALL_S):
            async for line in self._lines:
                if line.startswith("data: "):
                    lines.append(line.removeprefix("data: "))
                elif not line and lines:
                    return "\n".join(lines)
        raise EOFError

    async def until(self, words: str) -> None:
        """Wait until it shows these words."""
        while words not in await self.shown():
            pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A running server, and a session."""

    api: Api
    server: uvicorn.Server
    url: str
    cookies: httpx2.Cookies

    @asynccontextmanager
    async def following(self) -> AsyncGenerator[Follower, None]:
        async with (
            httpx2.AsyncClient(base_url=self.url, cookies=self.cookies, timeout=AT_ALL_S) as client,
            client.stream("GET", STREAM, headers={"HX-Request": "true"}) as response,
        ):
            yield Follower(response)


@asynccontextmanager
async def live(folder: Path, config: ApiConfig = CONFIG) -> AsyncGenerator[Live, None]:
    async with serving(folder) as api:
        app = create_app(api.services, config)
        client = await signed_in(replace(api, app=app), "admin")
        cookies = httpx2.Cookies()
        for each in client.cookies.jar:
            cookies.set(each.name, each.value or "")
        async with listening(app) as (server, url):
            yield Live(api=api, server=server, url=url, cookies=cookies)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path) as it:
        yield it


async def test_what_happens_is_shown_without_being_asked_for(served: Live) -> None:
    async with served.following() as follower:
        assert follower.response.headers["content-type"].startswith("text/event-stream")
        first = await follower.shown()
        assert first.startswith('<section id="now"')
        assert "0 accepted = " in first

        await served.api.send()

        await follower.until("1 accepted = ")
        await follower.until("(Email normal)")


async def test_so_many_streams_at_once_and_a_place_is_given_back(served: Live) -> None:
    async with served.following() as first:
        await first.shown()
        async with served.following() as refused:
            assert refused.response.status_code == 503
            assert refused.response.headers["retry-after"] == "30"

    async with asyncio.timeout(AT_ALL_S):
        while True:
            async with served.following() as again:
                if again.response.status_code == 200:
                    break


async def test_streams_end_when_the_server_stops(served: Live) -> None:
    async with served.following() as follower:
        await follower.shown()
        served.server.should_exit = True

        with pytest.raises(EOFError):
            await follower.until("never shown")


async def test_a_stream_ends_with_its_session(served: Live) -> None:
    async with served.following() as follower:
        await follower.shown()
        for key in await served.api.services.keys.list():
            await served.api.services.keys.revoke(key.id)

        with pytest.raises(EOFError):
            await follower.until("never shown")


async def test_a_stream_ends_after_its_lifetime(tmp_path: Path) -> None:
    async with (
        live(tmp_path, replace(CONFIG, stream_lifetime_s=0.1)) as served,
        served.following() as follower,
    ):
        with pytest.raises(EOFError):
            await follower.until("never shown")


async def test_who_is_not_signed_in_follows_nothing(served: Live) -> None:
    served.cookies.clear()

    async with served.following() as follower:
        assert follower.response.status_code == 401
