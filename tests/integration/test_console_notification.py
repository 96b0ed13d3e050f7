"""One notification in the console: its timeline, what it says, and what can be done with it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import httpx2
import pytest

from notifier.api.console.notifications.explaining import EVENTS, lasted
from notifier.audit import AuditFilter
from notifier.notification.model import Channel, Status
from notifier.notification.outcomes import SuppressionReason
from notifier.notification.transitions import CANCEL, TRANSITIONS
from tests.api import Api, serving
from tests.console import post, signed_in

PAGE = "/console/notifications"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, key_cache_s=0) as it:
        yield it


@pytest.fixture
async def sender(api: Api) -> httpx2.AsyncClient:
    return await signed_in(api, "read", "send")


async def shown(client: httpx2.AsyncClient, path: str) -> str:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


async def test_a_page_tells_why_it_failed_whose_fault_that_is_and_how_it_came_there(
    api: Api, sender: httpx2.AsyncClient
) -> None:
    id = await api.send(metadata={"order": "42"})
    await api.fail(id)

    page = await shown(sender, f"{PAGE}/{id}")

    assert "smtp said on" in page
    assert "550: no such mailbox. That is about this recipient or this message" in page
    places = [page.index(words) for words in ("Accepted</strong>", "A worker took it", "for good")]
    assert places == sorted(places)
    assert " ms later" in page
    assert f'{PAGE}?error_code=550"' in page
    assert f'{PAGE}?metadata=order%3D42"' in page


async def test_a_page_shows_what_is_said_as_it_is_sent_and_its_html_in_a_frame_of_its_own(
    api: Api, sender: httpx2.AsyncClient
) -> None:
    html = "<p style='color:red'>Dear {{ name }}</p><script>alert(1)</script>"
    id = await api.send(
        content="Dear {{ name }}", html=html, subject="For {{ name }}", variables={"name": "A<b"}
    )

    page = (await sender.get(f"{PAGE}/{id}")).text
    frame = await sender.get(f"{PAGE}/{id}/html")

    assert "<strong>For A&lt;b</strong>" in page
    assert "<script>alert" not in page
    assert 'sandbox referrerpolicy="no-referrer"' in page
    assert "Dear A&lt;b</p>" in frame.text
    policy = frame.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "; sandbox;" in policy
    assert frame.headers["x-frame-options"] == "SAMEORIGIN"


async def test_a_sensitive_one_is_never_shown(api: Api, sender: httpx2.AsyncClient) -> None:
    id = await api.send(content="code 4711", subject="4711", sensitive=True, html="<p>4711</p>")

    page = await shown(sender, f"{PAGE}/{id}")

    assert "4711" not in page
    assert "what it says is never shown" in page
    assert (await sender.get(f"{PAGE}/{id}/html")).status_code == 404


async def test_of_what_was_suppressed_it_says_since_when_and_for_what_reason(
    api: Api, sender: httpx2.AsyncClient
) -> None:
    await api.services.suppressions.add(
        service="orders",
        channel=Channel.EMAIL,
        recipient="anna@example.com",
        reason=SuppressionReason.SPAM_REPORT,
    )
    id = await api.send(recipient="Anna@example.com")

    page = await shown(sender, f"{PAGE}/{id}")

    assert "has been on the suppression list since" in page
    assert "for everything: spam report." in page
    link = page.split('">On the suppression list')[0].rsplit('href="', 1)[1]
    assert "anna@example.com" in (await shown(sender, link)).split('name="recipient"')[1]


async def test_what_is_pending_is_taken_back_once_it_is_meant(
    api: Api, sender: httpx2.AsyncClient
) -> None:
    id = await api.send()
    here = f"{PAGE}/{id}"

    assert f'href="{here}/cancel"' in await shown(sender, here)
    assert "Take it back?" in await shown(sender, f"{here}/cancel")
    assert await api.stores.status(id) is Status.PENDING
    answer = await post(sender, f"{here}/cancel", {})

    assert answer.headers["location"] == f"{here}?done=cancelled"
    page = await shown(sender, answer.headers["location"])
    assert await api.stores.status(id) is Status.CANCELLED
    assert "It was taken back: it is not sent." in page
    assert "It was taken back on" in page
    assert f"{here}/cancel" not in page


async def test_the_timeline_tells_who_did_it_and_leads_an_operator_to_the_audit_log(
    api: Api, sender: httpx2.AsyncClient
) -> None:
    id = await api.send()
    await api.fail(id)
    await post(sender, f"{PAGE}/{id}/replay", {})
    operator = await signed_in(api, "admin", service="operators")

    of_it = AuditFilter(action="POST /console/notifications/{id:uuid}/replay")
    [entry] = await api.services.keeping.audit.list(of_it, limit=9, after=None)
    mine, theirs = [await shown(each, f"{PAGE}/{id}") for each in (sender, operator)]

    assert f"by {entry.act.actor}" in mine
    assert "in the audit log" not in mine
    link = theirs.split('">in the audit log')[0].rsplit('href="', 1)[1]
    assert str(id) in await shown(operator, link)


async def test_a_refused_act_says_why_and_changes_nothing(
    api: Api, sender: httpx2.AsyncClient
) -> None:
    id = await api.send()
    await api.stores.orders.move(CANCEL, id, service=None)

    for name in ("cancel", "replay"):
        answer = await post(sender, f"{PAGE}/{id}/{name}", {})
        assert answer.status_code == 409
        assert "Nothing was changed. It is cancelled by now" in unescape(answer.text)
    assert await api.stores.status(id) is Status.CANCELLED


async def test_what_it_said_is_sent_to_another_address_and_each_leads_to_the_other(
    api: Api, sender: httpx2.AsyncClient
) -> None:
    id = await api.send(
        subject="For {{ name }}", variables={"name": "Anna"}, metadata={"order": "42"}
    )
    await api.fail(id)
    before = await api.services.queries.timeline(id)
    here = f"{PAGE}/{id}"

    assert f'href="{here}/forward"' in await shown(sender, here)
    assert "It went to" in await shown(sender, f"{here}/forward")
    answer = await post(sender, f"{here}/forward", {"recipient": "anna@home.example"})

    there = answer.headers["location"].partition("?")[0]
    page = await shown(sender, there)
    assert "anna@home.example" in page
    assert "For Anna" in page
    assert f'{PAGE}?metadata=order%3D42"' in page
    assert f'href="{here}"' in page
    assert f'href="{there}"' in await shown(sender, here)
    assert await api.stores.status(id) is Status.FAILED
    assert await api.services.queries.timeline(id) == before


async def test_an_address_that_is_none_and_what_has_not_ended_are_not_forwarded(
    api: Api, sender: httpx2.AsyncClient
) -> None:
    id = await api.send()

    early = await post(sender, f"{PAGE}/{id}/forward", {"recipient": "anna@home.example"})
    await api.fail(id)
    wrong = [
        await post(sender, f"{PAGE}/{id}/forward", {"recipient": each})
        for each in ("", "no address")
    ]

    assert early.status_code == 409
    assert "It is pending: wait for its end." in early.text
    assert [each.status_code for each in wrong] == [422, 422]
    assert 'aria-describedby="recipient-flaw"' in wrong[1].text
    assert 'value="no address"' in wrong[1].text
    assert await api.services.queries.forwards(id) == []


async def test_nothing_is_done_without_the_scope_or_the_forms_token(api: Api) -> None:
    id = await api.send()
    reader = await signed_in(api, "read")

    assert f"{PAGE}/{id}/cancel" not in await shown(reader, f"{PAGE}/{id}")
    assert (await post(reader, f"{PAGE}/{id}/cancel", {})).status_code == 403
    sender = await signed_in(api, "read", "send")
    assert (await sender.post(f"{PAGE}/{id}/cancel", data={"at": "1"})).status_code == 403
    assert await api.stores.status(id) is Status.PENDING


async def test_what_is_of_others_is_not_there(api: Api) -> None:
    id = await api.send()
    other = await signed_in(api, "read", "send", service="payments")

    for path in ("", "/html", "/cancel", "/replay"):
        assert (await other.get(f"{PAGE}/{id}{path}")).status_code == 404
    assert (await post(other, f"{PAGE}/{id}/cancel", {})).status_code == 404


def test_every_transition_has_words() -> None:
    assert {each.name for each in TRANSITIONS} <= set(EVENTS)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0124, "12 ms"),
        (2.5, "2.5 s"),
        (61, "1 min 1 s"),
        (7_260, "2 h 1 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_what_lies_between_is_told_as_people_say_it(seconds: float, words: str) -> None:
    assert lasted(timedelta(seconds=seconds)) == words
