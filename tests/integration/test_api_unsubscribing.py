"""Links to unsubscribe: what mail programs and people do with them."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from notifier.audience.category import Category
from notifier.audience.links import ONE_CLICK, Chooser
from notifier.audience.person import Address, Profile
from notifier.content.brand import Brand
from notifier.intake.ports import Submission
from notifier.notification.model import Addressee, Channel, Status
from notifier.sealing import SealedLinks
from tests.api import LINKS, Api, serving
from tests.contract.store.stores import a_submission, envelope_of

ANNA = Chooser(
    service="orders", channel=Channel.EMAIL, category="news", recipient="anna@example.com"
)
USER = replace(ANNA, recipient=None, user_id="u-7")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
DONE = "You are unsubscribed.\n"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        await declare(it)
        yield it


async def declare(api: Api) -> None:
    for each in (
        Category(service="orders", key="news", titles={"en": "Newsletter", "de": "Rundbrief"}),
        Category(service="orders", key="offers", titles={"en": "Offers <now>"}),
        Category(service="orders", key="security", can_switch_off=False),
    ):
        await api.stores.categories.set(each)
    emma = Profile(
        user_id="u-7",
        locale="de-AT",
        addresses=(
            Address(channel=Channel.EMAIL, address="emma@example.com", is_primary=True),
            Address(channel=Channel.SMS, address="+491701234567", is_primary=True),
        ),
    )
    await api.stores.people.put("orders", emma)


def path_of(chooser: Chooser) -> str:
    return LINKS.unsubscribe_url(chooser).removeprefix("https://notify.example.com")


async def one_click(api: Api, chooser: Chooser) -> str:
    answer = await api.client.post(path_of(chooser), content=ONE_CLICK, headers=FORM)
    assert answer.status_code == 200
    return answer.text


async def press(api: Api, chooser: Chooser, fields: Mapping[str, object]) -> str:
    answer = await api.client.post(path_of(chooser), data=fields)
    assert answer.status_code == 200
    return answer.text


async def page(api: Api, chooser: Chooser, accepted: str = "") -> str:
    answer = await api.client.get(path_of(chooser), headers={"Accept-Language": accepted})
    assert answer.status_code == 200
    return answer.text


async def listed(api: Api) -> set[tuple[str | None, str]]:
    found = await api.stores.suppressions.list(service=None, channel=None, limit=50, after=None)
    return {(each.category, each.reason.value) for each in found}


async def chosen(api: Api) -> dict[tuple[str, str], bool]:
    person = (await api.stores.directory.people("orders", ["u-7"]))["u-7"]
    return dict(person.choices.by_place)


def ticked(html: str) -> set[str]:
    return set(re.findall(r'name="on" value="([^"]+)" checked', html))


async def sources(api: Api) -> list[tuple[str, str, bool | None, str]]:
    found = await api.stores.choice_history.of("orders", "u-7", limit=50, before=None)
    return [(each.category, each.channel, each.is_on, each.source.value) for each in found]


async def test_one_click_unsubscribes_an_address_from_one_category_and_can_be_repeated(
    api: Api,
) -> None:
    answers = [await one_click(api, ANNA) for _ in range(3)]

    assert answers == [DONE] * 3
    assert await listed(api) == {("news", "unsubscribed")}
    for category, status in (("news", Status.SUPPRESSED), ("offers", Status.PENDING)):
        sent = replace(
            a_submission(recipient="Anna@example.com"), addressee=Addressee(category=category)
        )
        await api.stores.accept(sent)
        assert await api.stores.status(sent.id) is status


async def test_of_what_waits_one_is_suppressed_and_all_others_are_sent(api: Api) -> None:
    to = Addressee(category="news")
    waiting = [
        replace(a_submission(recipient=f"{number}@example.com"), addressee=to)
        for number in range(9_999)
    ]
    waiting.insert(4_711, replace(a_submission(recipient="Anna@example.com"), addressee=to))
    for some in batched(waiting):
        await api.stores.intake.insert(some)

    await one_click(api, ANNA)

    claims = [
        claim
        for some in batched(waiting)
        for claim in await asyncio.gather(*(api.stores.claim(envelope_of(each)) for each in some))
    ]
    assert [number for number, each in enumerate(claims) if each is None] == [4_711]
    assert await api.stores.status(waiting[4_711].id) is Status.SUPPRESSED


def batched(submissions: list[Submission]) -> Iterator[list[Submission]]:
    return (submissions[start : start + 500] for start in range(0, len(submissions), 500))


async def test_one_click_may_come_as_a_form_of_several_parts(api: Api) -> None:
    answer = await api.client.post(path_of(ANNA), files={"List-Unsubscribe": (None, "One-Click")})

    assert (answer.status_code, answer.text) == (200, DONE)
    assert await listed(api) == {("news", "unsubscribed")}


async def test_one_click_of_somebody_in_the_directory_is_a_choice_of_theirs(api: Api) -> None:
    for _ in range(2):
        assert await one_click(api, USER) == DONE

    assert await chosen(api) == {("news", "email"): False}
    assert await listed(api) == set()
    assert await sources(api) == [("news", "email", False, "one_click")]


async def test_looking_changes_nothing_however_often(api: Api) -> None:
    for chooser in (ANNA, USER):
        for _ in range(50):
            await api.client.get(path_of(chooser))
            await api.client.head(path_of(chooser))

    assert await listed(api) == set()
    assert await chosen(api) == {}
    assert await sources(api) == []


async def test_the_page_is_in_the_language_of_the_person_or_of_their_browser(api: Api) -> None:
    assert '<html lang="de">' in await page(api, USER, "en")
    assert "Rundbrief" in await page(api, USER)
    assert '<html lang="de">' in await page(api, ANNA, "fr;q=0.9, de-CH;q=0.8, en;q=0.1")
    assert '<html lang="en">' in await page(api, ANNA, "fr, de;q=0")
    assert '<html lang="en">' in await page(api, ANNA, "," * 5_000)


async def test_the_page_shows_the_brand_and_what_can_be_switched_off(api: Api) -> None:
    await api.stores.brands.save(
        service="orders", brand=Brand(name="Fish & Co", color="#7c2d12"), if_match=None
    )

    html = await page(api, USER)

    assert "Fish &amp; Co" in html
    assert "#7c2d12" in html
    assert "Offers &lt;now&gt;" in html
    assert "security" not in html
    assert ticked(html) == {
        f"{category}:{channel}"
        for category in ("news", "offers")
        for channel in ("email", "sms", "in_app")
    }
    assert ticked(await page(api, ANNA)) == {"news:email", "offers:email"}


async def test_what_is_ticked_is_kept_and_nothing_else_is_touched(api: Api) -> None:
    shown = ["news:email", "news:sms", "offers:email", "security:email", "else:email"]

    html = await press(
        api, USER, {"action": "save", "shown": shown, "on": ["news:sms", "offers:email"]}
    )

    assert await chosen(api) == {("news", "email"): False}
    assert ticked(html) == {
        "news:sms", "news:in_app", "offers:email", "offers:sms", "offers:in_app",
    }  # fmt: skip
    assert "gespeichert" in html
    assert await sources(api) == [("news", "email", False, "page")]


async def test_a_button_switches_off_and_on_again(api: Api) -> None:
    for chooser in (ANNA, USER):
        assert 'value="off"' in await page(api, chooser)
        assert 'value="on">' in await press(api, chooser, {"action": "off"})
        html = await press(api, chooser, {"action": "on"})
        assert 'value="off"' in html
        assert "news:email" in ticked(html)

    assert await listed(api) == set()
    assert await chosen(api) == {("news", "email"): True}


async def test_everything_is_switched_off_but_what_is_required(api: Api) -> None:
    await press(api, USER, {"action": "on"})
    for chooser in (ANNA, USER):
        html = await press(api, chooser, {"action": "nothing"})
        assert ticked(html) == set()

    assert await chosen(api) == {("*", "*"): False}
    assert await listed(api) == {(None, "unsubscribed")}
    required = replace(
        a_submission(recipient="anna@example.com"),
        addressee=Addressee(category="security", is_required=True),
    )
    await api.stores.accept(required)
    assert await api.stores.status(required.id) is Status.PENDING


async def test_who_wants_one_thing_again_gets_that_and_nothing_else(api: Api) -> None:
    for chooser in (ANNA, USER):
        await press(api, chooser, {"action": "nothing"})

        html = await press(api, chooser, {"action": "on"})

        assert ticked(html) == {"news:email"}
    assert await listed(api) == {("offers", "unsubscribed")}


async def test_a_complaint_and_a_bounce_stay_whatever_the_page_says(api: Api) -> None:
    for reason, category in (("spam_report", None), ("hard_bounce", "news")):
        entry = {"type": "email", "recipient": ANNA.recipient, "reason": reason}
        await api.client.post(
            "/api/v1/suppressions", json=entry | ({"category": category} if category else {})
        )
    before = await listed(api)

    await press(api, ANNA, {"action": "on"})

    assert before <= await listed(api)


async def test_what_is_required_cannot_be_switched_off_by_its_own_link(api: Api) -> None:
    for each in (ANNA, USER):
        required = replace(each, category="security")

        assert await one_click(api, required) == DONE
        html = await press(api, required, {"action": "off"})

        assert 'value="off"' not in html
    assert await listed(api) == set()
    assert await chosen(api) == {}


async def test_no_link_of_ours_is_answered_like_any_other_that_is_none(api: Api) -> None:
    token = path_of(ANNA)
    elsewhere = SealedLinks("https://notify.example.com", [b"another secret of somebody"])
    forged = elsewhere.unsubscribe_url(ANNA).removeprefix("https://notify.example.com")
    nones = ["/u/x", token[:-1], f"{token}A", forged]

    pages = [await api.client.get(each) for each in nones]
    posted = [await api.client.post(each, content=ONE_CLICK, headers=FORM) for each in nones]

    assert len({(each.status_code, each.text) for each in pages}) == 1
    assert {(each.status_code, each.text) for each in posted} == {(200, DONE)}
    assert await listed(api) == set()


async def test_who_is_not_in_the_directory_any_more_is_answered_and_nothing_is_kept(
    api: Api,
) -> None:
    gone = replace(USER, user_id="u-8")

    assert await one_click(api, gone) == DONE
    for shown in (await page(api, gone), await press(api, gone, {"action": "off"})):
        assert "This link does nothing" in shown


async def test_a_form_of_more_than_a_page_has_is_refused(api: Api) -> None:
    form = "action=off&" * 1_001

    answer = await api.client.post(path_of(ANNA), content=form, headers=FORM)

    assert answer.status_code == 422
    assert "1000 fields at most" in answer.text


async def test_who_guesses_links_is_told_to_wait_and_who_has_one_is_not(api: Api) -> None:
    answers = [(await api.client.get(f"/u/{number}")).status_code for number in range(61)]

    assert answers == [200] * 60 + [429]
    assert await one_click(api, ANNA) == DONE


async def test_the_page_lets_nothing_else_in_and_is_named_nowhere(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await api.client.get(path_of(ANNA))
    await one_click(api, ANNA)

    policy = answer.headers["content-security-policy"]
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; form-action 'self'; "
        r"base-uri 'none'; frame-ancestors 'none'",
        policy,
    )
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert not re.search(r"<script|<img|<link|https?://|style=|\son\w+=", answer.text)
    logged = capsys.readouterr().out
    assert "choices.changed" in logged
    assert path_of(ANNA).removeprefix("/u/") not in logged
    assert "anna" not in logged


async def test_who_unsubscribed_by_address_stays_so_when_the_category_is_removed(api: Api) -> None:
    draft = {
        "category": "news",
        "schema": {"type": "object", "properties": {}},
        "parts": {
            "en": {"email": {"subject": "News", "text": "{{ unsubscribe_url }} {{ brand.name }}"}}
        },
    }
    api.client.headers.update(await api.headers("orders", "send", "recipients", "templates"))
    saved = await api.client.put("/api/v1/templates/weekly/draft", json=draft)
    assert saved.status_code in (200, 201), saved.text
    assert (await api.client.post("/api/v1/templates/weekly/publish")).status_code == 200
    await one_click(api, ANNA)

    async def became(recipient: str) -> Status:
        to = {"type": "email", "recipient": recipient, "template": "weekly"}
        answer = await api.client.post("/api/v1/notifications/send", json=to)
        assert answer.status_code == 202, answer.text
        return await api.stores.status(UUID(answer.json()["id"]))

    for act in ("declared", "removed"):
        if act == "removed":
            assert (await api.client.delete("/api/v1/categories/news")).status_code == 204
        assert await became("Anna@example.com") is Status.SUPPRESSED, act
        assert await became("emil@example.com") is Status.PENDING, act
