"""The live stream of an inbox, over a real server."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

from notifier.api.app import create_app
from notifier.api.kit.config import ApiConfig
from notifier.audience.inbox import Inbox, InboxHead, InboxItem, Mark, waking
from notifier.errors import StoreUnavailableError
from tests.api import PEPPER, Api, listening, serving
from tests.patience import AT_ALL_S

STREAM = "/api/v1/inbox/bob/stream"
FAST = ApiConfig(pepper=PEPPER, stream_poll_s=0.02, stream_keep_alive_s=0.05)


class WatchedInbox:
    """A real inbox that notes what is asked of it, and is away when told to."""

    def __init__(self, inner: Inbox) -> None:
        self._inner = inner
        self.polls: list[Collection[tuple[str, str]]] = []
        self.reads = 0
        self.reading = 0
        self.most_reading = 0
        self.is_away = False
        self._polled = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def heads(
        self, inboxes: Collection[tuple[str, str]]
    ) -> Mapping[tuple[str, str], InboxHead]:
        self.polls.append(inboxes)
        self._polled.set()
        if self.is_away:
            raise StoreUnavailableError("away")
        return await self._inner.heads(inboxes)

    async def since(self, service: str, recipient: str, seq: int, *, limit: int) -> list[InboxItem]:
        self.reads += 1
        self.reading += 1
        self.most_reading = max(self.most_reading, self.reading)
        try:
            return list(await self._inner.since(service, recipient, seq, limit=limit))
        finally:
            self.reading -= 1

    async def more_polls(self, count: int, timeout_s: float = AT_ALL_S) -> None:
        """Wait for `count` polls more."""
        async with asyncio.timeout(timeout_s):
            for _ in range(count):
                self._polled.clear()
                await self._polled.wait()


@dataclass(frozen=True, slots=True)
class Event:
    id: str
    name: str
    data: str

    @property
    def text(self) -> str:
        text: str = json.loads(self.data)["text"]
        return text


class Reader:
    """Reads server-sent events, one at a time."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self) -> Event:
        """Return the next event; a comment is one named `comment`."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(AT_ALL_S):
            async for line in self._lines:
                if not line and fields:
                    return Event(
                        fields.get("id", ""), fields.get("event", "comment"), fields.get("data", "")
                    )
                name, _, value = line.partition(": ")
                fields[name or "comment"] = value
        raise EOFError

    async def notification(self) -> Event:
        """Return the next event that is neither a comment nor the opening."""
        return await self._named("notification")

    async def changed(self) -> Event:
        """Return the next event that tells of marks."""
        return await self._named("changed")

    async def _named(self, name: str) -> Event:
        while (event := await self.next()).name != name:
            pass
        return event


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A running server, and what it serves."""

    api: Api
    inbox: WatchedInbox
    server: uvicorn.Server
    url: str

    @asynccontextmanager
    async def stream(self, path: str = STREAM, **headers: str) -> AsyncGenerator[Reader, None]:
        """Open a stream."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with (
            httpx2.AsyncClient(
                base_url=self.url, headers=self.api.client.headers, timeout=AT_ALL_S
            ) as client,
            client.stream("GET", path, headers=named) as response,
        ):
            yield Reader(response)


@asynccontextmanager
async def live(folder: Path, config: ApiConfig) -> AsyncGenerator[Live, None]:
    """Serve the API on a free port."""
    async with serving(folder) as api:
        inbox = WatchedInbox(api.services.inbox)
        app = create_app(replace(api.services, inbox=inbox), config)
        async with listening(app) as (server, url):
            yield Live(api=api, inbox=inbox, server=server, url=url)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path, FAST) as it:
        yield it


async def test_what_arrives_is_streamed_with_its_seq_as_id(served: Live) -> None:
    await served.api.deliver_in_app("bob", "before")

    async with served.stream() as reader:
        assert reader.response.headers["content-type"].startswith("text/event-stream")
        assert reader.response.headers["x-accel-buffering"] == "no"
        assert (await reader.next()).name == "open"
        await served.api.deliver_in_app("bob", "one")
        await served.api.deliver_in_app("alice", "not his")
        await served.api.deliver_in_app("bob", "two")
        events = [await reader.notification(), await reader.notification()]

    assert [each.text for each in events] == ["one", "two"]
    assert [each.id for each in events] == ["2", "3"]
    assert [json.loads(each.data)["action_url"] for each in events] == ["/messages/1"] * 2


async def test_a_stream_resumes_without_loss_or_doubling(served: Live) -> None:
    total = 250

    async def deliver() -> None:
        for number in range(total):
            await served.api.deliver_in_app("bob", str(number))

    delivery = asyncio.create_task(deliver())
    seen: list[Event] = []
    last = "0"
    while len(seen) < total:
        async with served.stream(Last_Event_ID=last) as reader:
            for _ in range(min(70, total - len(seen))):
                seen.append(await reader.notification())
                last = seen[-1].id
    await delivery

    assert [each.text for each in seen] == [str(number) for number in range(total)]
    assert [each.id for each in seen] == [str(number + 1) for number in range(total)]


async def test_the_opening_carries_the_place_to_resume_from(served: Live) -> None:
    await served.api.deliver_in_app("bob", "before")
    async with served.stream() as reader:
        opening = await reader.next()
    await served.api.deliver_in_app("bob", "between")

    async with served.stream(Last_Event_ID=opening.id) as reader:
        assert (await reader.notification()).text == "between"


async def test_a_silent_stream_is_kept_alive_by_comments(served: Live) -> None:
    async with served.stream() as reader:
        await reader.next()

        assert [(await reader.next()).name for _ in range(3)] == ["comment"] * 3


async def test_one_query_follows_all_streams_and_none_without_streams(served: Live) -> None:
    await served.api.deliver_in_app("bob", "before")
    async with served.stream() as one, served.stream() as two:
        await one.next()
        await two.next()
        await served.inbox.more_polls(2)
        reads = served.inbox.reads
        await served.inbox.more_polls(5)
        assert served.inbox.reads == reads
        assert list(served.inbox.polls[-1]) == [("orders", "bob")]

        await served.api.deliver_in_app("bob", "news")
        assert (await one.notification()).text == (await two.notification()).text == "news"

    await served.api.client.get("/healthz")
    with pytest.raises(TimeoutError):
        await served.inbox.more_polls(2, timeout_s=FAST.stream_poll_s * 10)


async def test_a_stream_asks_for_nothing_until_there_is_news(
    served: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifier.api.inbox_stream._CHECK_S", FAST.stream_poll_s / 10)
    async with served.stream() as reader:
        await reader.next()
        await served.inbox.more_polls(2)
        reads = served.inbox.reads

        # It looks whether its key still holds, again and again.
        await served.inbox.more_polls(5)

        assert served.inbox.reads == reads
        await served.api.deliver_in_app("bob", "news")
        assert (await reader.notification()).text == "news"


async def test_streams_that_catch_up_take_turns(served: Live) -> None:
    for number in range(30):
        await served.api.deliver_in_app("bob", str(number))
    others = (await served.api.headers("payments", "read"))["Authorization"]

    async with AsyncExitStack() as stack:
        readers = [
            await stack.enter_async_context(served.stream(Last_Event_ID="0")) for _ in range(10)
        ]
        other = await stack.enter_async_context(served.stream(Authorization=others))
        await other.next()
        for reader in readers:
            for number in range(30):
                assert (await reader.notification()).text == str(number)

        # Two of a service, and the one of another service.
        assert served.inbox.most_reading <= 3


async def test_a_stream_outlives_the_databases_absence(served: Live) -> None:
    async with served.stream() as reader:
        await reader.next()
        served.inbox.is_away = True
        await served.inbox.more_polls(3)
        await served.api.deliver_in_app("bob", "meanwhile")
        served.inbox.is_away = False

        assert (await reader.notification()).text == "meanwhile"


async def test_streams_end_when_the_server_stops(served: Live) -> None:
    async with served.stream() as reader:
        await reader.next()
        served.server.should_exit = True

        with pytest.raises(EOFError):
            await reader.notification()


async def test_a_stream_ends_after_its_lifetime(tmp_path: Path) -> None:
    async with (
        live(tmp_path, replace(FAST, stream_lifetime_s=0.2)) as served,
        served.stream() as reader,
    ):
        with pytest.raises(EOFError):
            await reader.notification()


async def test_one_stream_too_many_is_told_to_come_back(tmp_path: Path) -> None:
    async with live(tmp_path, replace(FAST, max_streams=1)) as served, served.stream() as reader:
        await reader.next()
        await served.inbox.more_polls(1)

        async with served.stream() as refused:
            assert refused.response.status_code == 503
            assert refused.response.headers["retry-after"] == "5"


async def test_streams_do_not_take_the_places_of_requests(tmp_path: Path) -> None:
    config = replace(FAST, max_concurrent_requests=1)
    async with live(tmp_path, config) as served, served.stream() as one, served.stream() as two:
        assert [(await each.next()).name for each in (one, two)] == ["open", "open"]


@pytest.mark.parametrize("last", ["-1", "x", "1.5", "9" * 30])
async def test_what_is_no_event_id_is_refused(served: Live, last: str) -> None:
    async with served.stream(Last_Event_ID=last) as reader:
        assert reader.response.status_code == 422


async def test_a_head_request_opens_no_stream(served: Live) -> None:
    async with httpx2.AsyncClient(
        base_url=served.url, headers=served.api.client.headers, timeout=AT_ALL_S
    ) as client:
        assert (await client.head(STREAM)).status_code == 200
    assert served.inbox.reads == 0


async def test_a_stream_ends_within_seconds_of_its_keys_revocation(tmp_path: Path) -> None:
    async with live(tmp_path, replace(FAST, key_cache_s=0.1)) as served:
        key = await served.api.key("orders", "read")
        async with served.stream(Authorization=f"Bearer {key.text}") as reader:
            await reader.next()
            await served.api.services.keys.revoke(key.id)
            async with asyncio.timeout(AT_ALL_S):
                while True:
                    try:
                        assert (await reader.next()).name == "comment"
                    except EOFError:
                        break


async def test_a_service_has_half_of_the_streams(tmp_path: Path) -> None:
    async with live(tmp_path, replace(FAST, max_streams=4)) as served:
        others = (await served.api.headers("payments", "read"))["Authorization"]
        async with served.stream() as one, served.stream() as two:
            await one.next()
            await two.next()
            async with served.stream() as refused, served.stream(Authorization=others) as other:
                assert refused.response.status_code == 503
                assert other.response.status_code == 200
        async with asyncio.timeout(AT_ALL_S):
            # The server notices the ends of both on its own time.
            while await _status_of_new(served) != 200:
                pass


async def test_one_inbox_has_so_many_streams(tmp_path: Path) -> None:
    config = replace(FAST, max_streams_per_inbox=1)
    async with live(tmp_path, config) as served, served.stream() as one:
        await one.next()
        assert await _status_of_new(served) == 429
        async with served.stream("/api/v1/inbox/carol/stream") as other:
            assert other.response.status_code == 200


async def _status_of_new(served: Live) -> int:
    async with served.stream() as reader:
        return reader.response.status_code


async def test_what_another_tab_marks_is_told_with_the_counts(served: Live) -> None:
    ids = [await served.api.deliver_in_app("bob", str(number)) for number in range(2)]
    async with served.stream() as reader:
        opening = await reader.next()
        assert json.loads(opening.data) == {"unread_count": 2, "unseen_count": 2, "version": 0}

        await served.api.client.post(f"/api/v1/inbox/bob/{ids[0]}/read")
        told = await reader.changed()
        await served.api.client.post(f"/api/v1/inbox/bob/{ids[0]}/read")
        await served.api.client.post("/api/v1/inbox/bob/archive")
        then = await reader.changed()

    assert json.loads(told.data) == {"unread_count": 1, "unseen_count": 1, "version": 1}
    assert json.loads(then.data) == {"unread_count": 0, "unseen_count": 0, "version": 2}
    assert told.id == ""


async def test_a_stream_that_resumes_says_whether_something_was_marked(served: Live) -> None:
    await served.api.deliver_in_app("bob", "hi")
    await served.api.client.post("/api/v1/inbox/bob/seen")

    async with served.stream(Last_Event_ID="0") as reader:
        assert json.loads((await reader.next()).data)["version"] == 1


async def test_a_snoozed_one_comes_back_in_the_stream(served: Live) -> None:
    id = await served.api.deliver_in_app("bob", "later")
    until = datetime.now(UTC) - timedelta(seconds=1)
    await served.api.services.inbox.mark("orders", "bob", id, Mark.SNOOZE, until=until)
    duty = waking(served.api.services.inbox)
    async with served.stream() as reader:
        await reader.next()

        assert await duty.run()

        event = await reader.notification()
    assert (event.text, event.id) == ("later", "2")
    assert not await duty.run()


async def test_a_stream_ends_with_its_subscriber_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifier.api.inbox_stream._CHECK_S", 0.05)
    async with live(tmp_path, FAST) as served:
        made = await served.api.client.post("/api/v1/inbox/tokens", json={"recipient": "bob"})
        async with served.stream(Authorization=f"Bearer {made.json()['token']}") as reader:
            await reader.next()
            served.api.clock.days_on = 1
            with pytest.raises(EOFError):
                await reader.notification()
