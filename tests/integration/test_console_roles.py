"""What each role finds on every page of the console, whatever pages there come to be."""

import re
from collections.abc import AsyncIterator, Collection
from pathlib import Path

import pytest
from starlette.routing import Route

from notifier.access.operators import GRANTS, Role
from tests.api import Api, serving
from tests.console import entered

SECRET = "the surprise is a piano"
LOOKS = [role for role in Role if not GRANTS[role].sees_content]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, key_cache_s=0) as it:
        yield it


def pages(api: Api, id: str) -> Collection[str]:
    """Every path of the console, those of one thing as that of `id`."""
    paths = [route.path for route in api.app.routes if isinstance(route, Route)]
    # A stream does not end.
    others = (":path", "/stream")
    within = {
        each
        for each in paths
        if each.startswith("/console/") and not any(it in each for it in others)
    }
    return sorted({re.sub(r"\{[^}]*\}", id, each) for each in within})


@pytest.mark.parametrize("role", Role)
async def test_every_page_answers_every_role_and_says_why_it_does_not_open(
    api: Api, role: Role
) -> None:
    client = await entered(api, role=role)
    id = str(await api.send())

    found = {path: (await client.get(path)).status_code for path in pages(api, id)}

    assert len(found) > 40
    assert {path for path, status in found.items() if status >= 500} == set()
    assert found["/console/overview"] == 200
    assert found["/console/keys"] == (200 if role is Role.ADMIN else 403)
    refused = {path for path, status in found.items() if status == 403}
    assert bool(refused) is (role is not Role.ADMIN)


@pytest.mark.parametrize("role", LOOKS)
async def test_no_page_says_what_notifications_say_to_who_only_looks_or_writes(
    api: Api, role: Role
) -> None:
    client = await entered(api, role=role)
    said = {
        "subject": SECRET,
        "content": f"{SECRET} {{{{ more }}}}",
        "html": f"<p>{SECRET}</p>",
        "variables": {"more": SECRET},
    }
    waiting, failed = await api.send(**said), await api.send(**said)
    await api.fail(failed)

    for id in (waiting, failed):
        leaking = [path for path in pages(api, str(id)) if SECRET in (await client.get(path)).text]
        assert leaking == []
    for path in ("/console/notifications?status=failed", "/console/dead-letters?status=failed"):
        assert SECRET not in (await client.get(path)).text


async def test_who_acts_sees_it(api: Api) -> None:
    """Else the test above could not fail."""
    client = await entered(api, role=Role.OPERATOR)
    id = await api.send(subject=SECRET)

    assert SECRET in (await client.get(f"/console/notifications/{id}")).text
