"""Dead letters in the console: grouped, tried again, followed, taken back, discarded."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from notifier.notification.model import Status
from notifier.notification.transitions import FAIL
from tests.api import Api, serving
from tests.console import flaws_in, post, signed_in, text_of
from tests.contract.store.stores import a_submission

LETTERS = "/console/dead-letters"
REPLAYS = "/console/replays"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


async def fail(api: Api, count: int, service: str = "orders") -> list[UUID]:
    return [(await api.stores.ended(FAIL, a_submission(service=service))).id for _ in range(count)]


async def test_a_group_says_its_cause_and_how_many_it_holds(api: Api) -> None:
    await fail(api, 2)
    await fail(api, 1, "billing")
    client = await signed_in(api, "read")

    shown = await client.get(LETTERS)

    words = text_of(shown)
    assert "2 letters" in words
    assert "421" in words
    assert "would try 2 again" in words
    assert "billing" not in words
    assert "Try them again" not in words
    assert "Nothing that failed matches" in text_of(await client.get(f"{LETTERS}?error_code=550"))


async def test_a_replay_is_begun_followed_and_undone_by_forms(api: Api) -> None:
    (letter, _) = await fail(api, 2)
    client = await signed_in(api, "read", "send")

    begun = await post(client, f"{LETTERS}/replay", {"error_code": "421", "rate_per_s": "100"})

    assert (begun.status_code, begun.headers["Location"]) == (303, REPLAYS)
    shown = await client.get(REPLAYS)
    assert 'hx-trigger="every 2s"' in shown.text
    assert "0 of 2 tried again" in text_of(shown)
    while await api.stores.replaying.step(500):
        pass
    part = await client.get(REPLAYS, headers={"HX-Request": "true"})
    assert "2 of 2 tried again" in text_of(part)
    assert "<html" not in part.text
    (replay,) = await api.stores.replays.list(service="orders", limit=2, after=None)
    assert (await post(client, f"{REPLAYS}/{replay.id}/undo", {})).status_code == 303
    while await api.stores.replaying.undo(500):
        pass
    whole = text_of(await client.get(f"/console/notifications/{letter}"))
    assert whole.count(f"replay {replay.id}") == 2
    assert "2 taken back" in text_of(await client.get(REPLAYS))
    assert await api.stores.status(letter) is Status.FAILED
    assert (await post(client, f"{REPLAYS}/{replay.id}/pause", {})).status_code == 409


@pytest.mark.parametrize(
    ("path", "fields", "field"),
    [
        ("replay", {"rate_per_s": "0"}, "rate_per_s"),
        ("replay", {"rate_per_s": "soon"}, "rate_per_s"),
        ("discard", {"reason": " "}, "reason"),
        ("discard", {"reason": "x" * 201}, "reason"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field_and_nothing_is_done(
    api: Api, path: str, fields: dict[str, str], field: str
) -> None:
    await fail(api, 1)
    client = await signed_in(api, "read", "send")

    answer = await post(client, f"{LETTERS}/{path}", fields)

    assert answer.status_code == 422
    assert list(flaws_in(answer)) == [field]
    assert await api.stores.replays.list(service=None, limit=1, after=None) == []
    assert "1 letter" in text_of(await client.get(LETTERS))


async def test_what_is_discarded_is_shown_no_more(api: Api) -> None:
    await fail(api, 2)
    client = await signed_in(api, "read", "send")

    answer = await post(client, f"{LETTERS}/discard", {"reason": "the offer is over"})

    after = text_of(await client.get(answer.headers["Location"]))
    assert "2 discarded" in after
    assert "Nothing has failed." in after


async def test_without_the_scope_send_nothing_is_begun(api: Api) -> None:
    await fail(api, 1)
    client = await signed_in(api, "read")

    answer = await post(client, f"{LETTERS}/replay", {"rate_per_s": "50"})

    assert answer.status_code == 403


CORRECT = f"{LETTERS}/correct"


async def broken(api: Api, **changes: object) -> UUID:
    variables = {"order": "A-1", "url": "https://old.example"}
    id = await api.send(content="{{ order }}: {{ url }}", variables=variables, **changes)
    await api.fail(id)
    return id


async def test_letters_are_looked_at_changed_and_sent_anew(api: Api) -> None:
    letters = [await broken(api), await broken(api)]
    client = await signed_in(api, "read", "send")
    assert "Change them and send anew" in text_of(await client.get(f"{LETTERS}?error_code=550"))
    fields = {"error_code": "550", "variables": '{"url": "https://new.example"}', "rate_per_s": "9"}

    looked = await post(client, CORRECT, {**fields, "act": "look"})
    assert "2 letters would be sent anew" in text_of(looked)
    assert await api.services.queries.forwards(letters[0]) == []
    done = await post(client, CORRECT, {**fields, "act": "correct"})

    assert "2 letters sent anew" in text_of(done)
    [made] = await api.services.queries.forwards(letters[0])
    assert str(made) in text_of(await client.get(f"/console/notifications/{letters[0]}"))
    assert "Nothing that failed matches" in text_of(await client.get(f"{LETTERS}?error_code=550"))


async def test_one_letter_is_sent_to_another_address(api: Api) -> None:
    letter = await broken(api)
    client = await signed_in(api, "read", "send")
    form = await client.get(f"{CORRECT}?id={letter}")
    assert "Another address" in text_of(form)

    await post(client, CORRECT, {"id": letter, "recipient": "eva@example.com", "act": "correct"})

    [made] = await api.services.queries.forwards(letter)
    assert (await api.stores.get(made)).recipient == "eva@example.com"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"variables": '{"url": '}, "variables"),
        ({"variables": "[1]"}, "variables"),
        ({"variables": '{"a": 1}', "rate_per_s": "0"}, "rate_per_s"),
        ({}, None),
    ],
)
async def test_what_is_wrong_with_a_change_is_said_at_its_field(
    api: Api, fields: dict[str, str], field: str | None
) -> None:
    letter = await broken(api)
    client = await signed_in(api, "read", "send")

    answer = await post(client, CORRECT, {**fields, "act": "correct"})

    assert answer.status_code == 422
    assert list(flaws_in(answer)) == ([field] if field else [])
    assert ("say what is otherwise" in answer.text) == (field is None)
    assert await api.services.queries.forwards(letter) == []


async def test_what_keeps_a_letter_is_shown_with_the_letter(api: Api) -> None:
    letter = await broken(api, sensitive=True)
    client = await signed_in(api, "read", "send")

    page = text_of(await post(client, CORRECT, {"variables": '{"url": "x"}', "act": "look"}))

    assert "0 letters would be sent anew, and 1 would stay as it is" in page
    assert f"{letter} content: what it said is erased" in page
