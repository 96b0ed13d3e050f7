"""Workers in the console: what each is at, and draining one."""

from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from uuid import uuid4

import pytest

from notifier.audit import AuditFilter
from notifier.roster import Role, State
from tests.api import Api, serving
from tests.console import signed_in, text_of, token_in
from tests.integration.test_api_workers import NAME, beat

WORKERS = "/console/workers"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


async def test_every_process_shows_what_it_is_at(api: Api) -> None:
    ids = [uuid4() for _ in range(12)]
    await beat(
        api, consumes=["email.high", "email.bulk"], slots=16, busy=12, attempts=ids, handled=1_234
    )
    await beat(api, "host:0:r", Role.RUNNER, slots=0, restarts=3)
    await beat(api, "host:1:old")
    await api.stores.roster.end("host:1:old")
    client = await signed_in(api, "admin")

    page = await client.get(WORKERS)

    text = text_of(page)
    assert "1 worker, 12 of 16 slots busy" in text
    assert "email: high, bulk" in text
    assert "1,234 done with since its start" in text
    assert f"/console/notifications/{ids[0]}" in unescape(page.text)
    assert (str(ids[9]) in text, str(ids[10]) in text, "and 2 more" in text) == (True, False, True)
    assert "restarts: 3" in text
    assert text.index("Ended in the last hour") < text.index("host:1:old")
    assert page.text.count("/drain") == 1


async def test_a_worker_is_drained_and_taken_back_by_a_button(api: Api) -> None:
    await beat(api)
    client = await signed_in(api, "admin")
    token = {"token": token_in((await client.get(WORKERS)).text)}

    answer = await client.post(f"{WORKERS}/{NAME}/drain", data=token)

    assert (answer.status_code, answer.headers["location"]) == (303, WORKERS)
    assert "asked to drain" in text_of(await client.get(WORKERS))
    assert await beat(api, state=State.DRAINED) is True
    page = await client.get(WORKERS)
    assert '<span class="state drained">drained</span>' in page.text
    assert (await client.post(f"{WORKERS}/{NAME}/resume", data=token)).status_code == 303
    assert await beat(api) is False
    noted = await api.stores.audit.list(AuditFilter(), limit=5, after=None)
    assert [each.act.action for each in noted[:2]] == [
        "POST /console/workers/{name}/resume",
        "POST /console/workers/{name}/drain",
    ]


async def test_the_page_is_for_operators_and_knows_who_is_there(api: Api) -> None:
    await beat(api, "host:0:r", Role.RUNNER)
    client = await signed_in(api, "admin")
    token = {"token": token_in((await client.get(WORKERS)).text)}

    assert (await client.post(f"{WORKERS}/nobody/drain", data=token)).status_code == 404
    assert (await client.post(f"{WORKERS}/host:0:r/drain", data=token)).status_code == 409
    assert (await client.post(f"{WORKERS}/host:0:r/drain", data={"token": "x"})).status_code == 403
    assert (await (await signed_in(api, "read")).get(WORKERS)).status_code == 403


async def test_a_script_gets_the_list_alone(api: Api) -> None:
    client = await signed_in(api, "admin")

    part = (await client.get(WORKERS, headers={"HX-Request": "true"})).text

    assert part.startswith('<section id="workers"')
    assert "No process was heard of" in part
