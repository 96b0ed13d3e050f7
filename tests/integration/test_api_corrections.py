"""Dead letters that are sent anew: to another address, or with other variables."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from notifier.replays import correcting
from tests.api import PREFIX, Api, serving

CORRECT = "/api/v1/dead-letters/correct"
BROKEN: dict[str, Any] = {
    "subject": "Order {{ order }}",
    "content": "See {{ url }}",
    "variables": {"order": "A-1", "url": "https://old.example"},
    "metadata": {"order": "A-1"},
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


async def failed(api: Api, **changes: object) -> UUID:
    id = await api.send(**{**BROKEN, **changes})
    await api.fail(id)
    return id


async def corrected(api: Api, **asked: object) -> dict[str, Any]:
    answer = await api.client.post(CORRECT, json=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def successor(api: Api, letter: UUID) -> dict[str, Any]:
    [id] = await api.services.queries.forwards(letter)
    found: dict[str, Any] = (await api.client.get(f"{PREFIX}/{id}")).json()
    return found


async def test_one_letter_is_sent_anew_to_another_address_with_other_variables(api: Api) -> None:
    letter = await failed(api)
    url = {"url": "https://new.example"}

    found = await corrected(api, ids=[str(letter)], recipient="Eva@Example.com", variables=url)

    assert found == {"corrected": 1, "refused": 0, "findings": [], "after": None}
    made = await successor(api, letter)
    assert (made["status"], made["recipient"]) == ("pending", "Eva@example.com")
    assert made["variables"] == {"order": "A-1", "url": "https://new.example"}
    assert (made["metadata"], made["forwarded_from"]) == ({"order": "A-1"}, str(letter))
    status = (await api.client.get(f"{PREFIX}/{letter}/status")).json()
    assert status["status"] == "failed"
    assert status["history"][-1]["note"].startswith(f"sent anew as {made['id']} (")
    assert (await corrected(api, ids=[str(letter)], variables=url))["corrected"] == 0


async def test_many_get_the_same_value_and_keep_their_own_others(api: Api) -> None:
    letters = [await failed(api, variables={"order": f"A-{n}", "url": "x"}) for n in range(3)]

    found = await corrected(api, error_code="550", variables={"url": "https://new.example"})

    assert found["corrected"] == 3
    made = [await successor(api, each) for each in letters]
    assert [each["variables"]["order"] for each in made] == ["A-0", "A-1", "A-2"]
    assert {each["variables"]["url"] for each in made} == {"https://new.example"}
    assert {each["recipient"] for each in made} == {"anna@example.com"}


async def test_a_dry_run_says_how_many_would_be_and_what_the_first_others_lack(api: Api) -> None:
    fitting = await failed(api, variables={"order": "A-1", "url": "x"})
    lacking = await failed(
        api,
        content="See {{ url }} {{ price.net }}",
        variables={"order": "A-2", "url": "x", "price": {"net": "1"}},
    )

    found = await corrected(api, variables={"price": "free"}, dry_run=True)

    assert (found["corrected"], found["refused"]) == (1, 1)
    [finding] = found["findings"]
    assert finding["id"] == str(lacking)
    assert "price" in finding["errors"][0]["detail"]
    for letter in (fitting, lacking):
        assert await api.services.queries.forwards(letter) == []
    assert (await corrected(api, variables={"price": "free"}))["corrected"] == 1
    assert await api.services.queries.forwards(lacking) == []


async def test_more_than_a_call_looks_at_are_for_the_next_one(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correcting, "MOST_CORRECTED", 2)
    for _ in range(3):
        await failed(api)
    asked = {"variables": {"url": "https://new.example"}}

    first = await corrected(api, **asked)
    second = await corrected(api, **asked, after=first["after"])

    assert (first["corrected"], second["corrected"], second["after"]) == (2, 1, None)


async def test_letters_are_sent_anew_at_a_rate(api: Api) -> None:
    letters = [await failed(api) for _ in range(5)]

    await corrected(api, variables={"url": "y"}, rate_per_s=2)

    made = [await successor(api, each) for each in letters]
    due = [datetime.fromisoformat(each["due_at"]) for each in made]
    assert [round((each - due[0]).total_seconds()) for each in due] == [0, 0, 1, 1, 2]


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({}, ""),
        ({"recipient": "eva@example.com"}, "/recipient"),
        ({"variables": {"a": 1}, "with_discarded": True}, "/with_discarded"),
        ({"variables": {"a": 1}, "rate_per_s": 0}, "/rate_per_s"),
    ],
)
async def test_what_does_not_go_together_is_refused(
    api: Api, asked: dict[str, Any], pointer: str
) -> None:
    await failed(api)

    answer = await api.client.post(CORRECT, json=asked)

    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


async def test_another_services_letters_are_not_corrected(api: Api) -> None:
    letter = await failed(api)
    others = await api.headers("billing", "send", "read")

    asked = {"ids": [str(letter)], "variables": {"url": "y"}}
    answer = await api.client.post(CORRECT, json=asked, headers=others)

    assert answer.json()["corrected"] == 0
    assert await api.services.queries.forwards(letter) == []


async def test_a_letter_whose_content_is_erased_stays_as_it_is(api: Api) -> None:
    letter = await failed(api, sensitive=True)

    found = await corrected(api, variables={"url": "y"})

    assert (found["corrected"], found["refused"]) == (0, 1)
    [finding] = found["findings"]
    assert (finding["id"], finding["errors"][0]["detail"]) == (
        str(letter),
        "what it said is erased",
    )
