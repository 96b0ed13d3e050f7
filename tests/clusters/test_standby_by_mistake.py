"""An address that leads to a standby for a while: a wrong setting, a proxy, a name."""

import asyncio
from collections.abc import Sequence
from functools import partial

import httpx2
import pytest
from sqlalchemy import make_url
from structlog.testing import capture_logs

from notifier.commands import app
from notifier.notification.feed import START
from notifier.store.kit import reaching
from notifier.store.upgrading import upgrade
from tests.api import MAIL, PREFIX, Api, over
from tests.clusters.test_database_failover import works
from tests.contract.store.proxy import linked
from tests.contract.store.stores import open_stores
from tests.contract.store.test_feed_order import writers
from tests.patience import AT_ALL_S, USUAL
from tests.servers.postgres_pair import PostgresPair
from tests.waiting import require

READ_ONLY = (
    "the database is not available: it is read-only: a standby, or a role or database set so"
    " (SQLSTATE 25006)"
)


async def post(api: Api) -> httpx2.Response:
    return await api.client.post(f"{PREFIX}/send", json=MAIL)


async def test_a_standby_is_named_wherever_it_matters_and_left_once_the_address_leads_elsewhere(
    asynchronous_pair: PostgresPair,
) -> None:
    primary, standby = asynchronous_pair.primary, asynchronous_pair.standby
    database = asynchronous_pair.create_database()
    await upgrade(primary.url(database))
    async with linked(primary.url(database)) as (url, link), over(url) as api:
        api.client.headers.update(await api.headers("orders", "send", "read"))
        await asyncio.to_thread(primary.wait_for_standby)
        await asyncio.to_thread(standby.stop_receiving)
        link.lead_to(standby.port)
        link.cut()

        with capture_logs() as logs:
            await require(
                partial(is_refused, api), timeout_s=AT_ALL_S, what="the standby's refusal"
            )
            await post(api)
            ready = await api.client.get("/readyz")
            assert await listed(api) == 0
        link.lead_to(primary.port)  # and those to the standby are not cut
        await require(partial(is_accepted, api), timeout_s=AT_ALL_S, what="accepting again")
        after = await asyncio.gather(*(post(api) for _ in range(40)))

        async def are_listed() -> bool:
            return await listed(api) > len(after)

        # Whoever only searches is refused nothing, and leaves the standby all the same.
        await require(are_listed, timeout_s=AT_ALL_S, every_s=2, what="them in a search")

    assert ready.status_code == 503
    assert ready.json()["database"] == {"ok": False, "problem": READ_ONLY}
    assert READ_ONLY in {log.get("reason") for log in logs if log["event"] == "health.failing"}
    assert {answer.status_code for answer in after} == {202}


async def is_refused(api: Api) -> bool:
    answer = await post(api)
    return answer.status_code == 503 and READ_ONLY[1:] in answer.json()["detail"]


async def listed(api: Api) -> int:
    return len((await api.client.get(f"{PREFIX}?limit=100")).json()["items"])


async def is_accepted(api: Api) -> bool:
    return (await post(api)).status_code == 202


async def test_a_feed_believes_no_standby_which_does_not_know_who_is_writing(
    asynchronous_pair: PostgresPair,
) -> None:
    primary, standby = asynchronous_pair.primary, asynchronous_pair.standby
    database = asynchronous_pair.create_database()
    await upgrade(primary.url(database))
    async with (
        open_stores(primary.url(database)) as stores,
        open_stores(standby.url(database)) as misled,
        writers(primary.url(database)) as (early,),
    ):
        await early.write()
        await stores.accept()
        await asyncio.to_thread(primary.wait_for_standby)

        assert await misled.feed.behind_s(START) > 0
        assert [len((await misled.feed.after(START, 9)).events) for _ in range(2)] == [0, 0]
        await early.commit()
        assert len((await stores.feed.after(START, 9)).events) == 2


async def test_where_a_name_leads_to_both_the_one_that_takes_writes_is_used(
    synchronous_pair: PostgresPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(_: str) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.1"]

    monkeypatch.setattr(reaching, "addresses_of", resolve)
    primary, standby = synchronous_pair.primary, synchronous_pair.standby
    database = synchronous_pair.create_database()
    both = make_url(primary.url(database)).set(host="db.example")
    url = both.render_as_string(hide_password=False)
    await upgrade(url)
    async with (
        linked(standby.url(database), address="127.0.0.2", port=primary.port),
        open_stores(url, USUAL) as stores,
    ):
        await stores.accept()
        await asyncio.to_thread(synchronous_pair.fail_over)

        await require(partial(works, stores.accept), timeout_s=AT_ALL_S, what="accepting again")


def test_a_command_says_in_one_line_that_it_was_led_to_a_standby(
    asynchronous_pair: PostgresPair,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database = asynchronous_pair.create_database()
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", asynchronous_pair.primary.url(database))
    assert app.run(["db", "upgrade"]) == 0
    asynchronous_pair.primary.wait_for_standby()
    capsys.readouterr()
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", asynchronous_pair.standby.url(database))

    code = app.run(["db", "upgrade"])

    line = capsys.readouterr().err
    assert code == 1
    assert line.count("\n") == 1
    assert READ_ONLY in line
