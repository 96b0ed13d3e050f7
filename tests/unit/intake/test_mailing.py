"""What a mail has besides its content: as whom it is sent, where answers go."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from notifier.intake.draft import Draft, Flaw
from notifier.intake.mailing import mail_details
from notifier.intake.senders import Sender, Senders
from notifier.mailbox import Mailbox
from notifier.notification.mail import MailDetails
from notifier.notification.model import Channel
from tests.senders import KeptSenders, a_sender
from tests.servers.messages import ManualClock

MAIL = Draft(channel=Channel.EMAIL, recipient="anna@example.com", subject="a", content="b")
SMS = Draft(channel=Channel.SMS, recipient="+491701234567", content="b")


async def kept(*more: str) -> KeptSenders:
    store = KeptSenders()
    await store.set(a_sender("news", "Shop News <news@shop.example>", reply_to="h@shop.example"))
    await store.set(a_sender("theirs", "a@other.example", service="payments"))
    for name in more:
        await store.set(a_sender(name, f"{name}@shop.example"))
    return store


async def details(draft: Draft, store: KeptSenders) -> MailDetails | None:
    found = mail_details(draft, await Senders(store, ManualClock()).of("orders"))
    assert not isinstance(found, list), found
    return found


async def wrong(draft: Draft, store: KeptSenders) -> Mapping[str, str]:
    found = mail_details(draft, await Senders(store, ManualClock()).of("orders"))
    assert isinstance(found, list), found
    return {each.field: each.words for each in found}


async def test_a_mail_that_names_a_sender_is_sent_and_answered_as_that_says() -> None:
    found = await details(replace(MAIL, sender="news"), await kept())

    assert found == MailDetails(
        sender=Mailbox("Shop News", "news@shop.example"), reply_to=Mailbox("", "h@shop.example")
    )


async def test_a_mail_s_own_reply_to_wins() -> None:
    found = await details(replace(MAIL, sender="news", reply_to="Ada <a@x.example>"), await kept())

    assert found is not None
    assert found.reply_to == Mailbox("Ada", "a@x.example")


async def test_a_mail_that_names_none_is_sent_as_its_service_s_default_if_it_has_one() -> None:
    assert await details(MAIL, await kept()) is None

    found = await details(MAIL, await kept("default"))

    assert found == MailDetails(sender=Mailbox("", "default@shop.example"))


async def test_an_unknown_sender_is_refused_with_those_that_there_are() -> None:
    assert await wrong(replace(MAIL, sender="sales"), await kept("default")) == {
        "from": "there is no such sender; there are default, news"
    }
    assert await wrong(replace(MAIL, sender="sales"), KeptSenders()) == {
        "from": "there is no such sender: this service has none"
    }


async def test_another_service_s_sender_is_unknown() -> None:
    assert "theirs" not in (await wrong(replace(MAIL, sender="theirs"), await kept()))["from"]


@pytest.mark.parametrize(
    "text",
    [
        "nobody",
        "a@shop.example, b@shop.example",
        "a@shop.example\r\nBcc: e@x.io",
        "A\u2028B <a@shop.example>",
        "A\0B <a@shop.example>",
        "\u00e4@shop.example",
        "a@-shop-.example",
        f"{'a' * 65}@shop.example",
        f"a@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.{'f' * 20}",
        f"{'A' * 101} <a@shop.example>",
    ],
)
async def test_a_reply_to_that_not_every_provider_takes_is_refused(text: str) -> None:
    found = await wrong(replace(MAIL, reply_to=text), KeptSenders())

    assert list(found) == ["reply_to"]
    assert text not in found["reply_to"]


async def test_a_reply_to_of_an_international_domain_is_written_in_ascii() -> None:
    found = await details(
        replace(MAIL, reply_to="B\u00fcro <a@b\u00fccher.example>"), KeptSenders()
    )

    assert found == MailDetails(reply_to=Mailbox("B\u00fcro", "a@xn--bcher-kva.example"))


async def test_wrong_headers_are_told_with_their_names_all_at_once() -> None:
    draft = replace(MAIL, sender="?", reply_to="?", headers={"Bcc": "e@x.io", "X-A": "a\nb"})

    found = mail_details(draft, await Senders(KeptSenders(), ManualClock()).of("orders"))

    assert isinstance(found, list)
    assert [(each.field, each.path) for each in found] == [
        ("from", ()),
        ("reply_to", ()),
        ("headers", ("Bcc",)),
        ("headers", ("X-A",)),
    ]


async def test_headers_are_kept_under_the_names_of_their_standards() -> None:
    found = await details(replace(MAIL, headers={"list-id": "<a.b>", "x-a": "b"}), KeptSenders())

    assert found == MailDetails(headers={"List-Id": "<a.b>", "x-a": "b"})
    assert await details(replace(MAIL, headers={}), KeptSenders()) is None


async def test_only_an_email_has_any_of_it() -> None:
    draft = replace(SMS, sender="news", reply_to="a@shop.example", headers={"X-A": "b"})

    assert list(await wrong(draft, await kept())) == ["from", "reply_to", "headers"]
    senders = await Senders(await kept("default"), ManualClock()).of("orders")
    assert mail_details(SMS, senders) is None


async def test_senders_are_looked_up_again_after_a_while_and_after_a_change_here() -> None:
    store, clock = await kept(), ManualClock()
    senders = Senders(store, clock)
    for _ in range(3):
        await senders.of("orders")
    assert store.looks == 1

    await store.set(a_sender("new", "new@shop.example"))
    assert "new" not in await senders.of("orders")
    clock.advance(2.1)
    assert "new" in await senders.of("orders")

    await store.remove("orders", "new")
    senders.forget()
    assert "new" not in await senders.of("orders")


async def test_a_change_here_that_comes_while_they_are_read_is_seen() -> None:
    store, read = await kept(), asyncio.Event()

    class Slow(KeptSenders):
        async def of(self, service: str) -> Mapping[str, Sender]:
            found = await store.of(service)
            await read.wait()
            return found

    senders = Senders(Slow(), ManualClock())
    reading = asyncio.create_task(senders.of("orders"))
    await asyncio.sleep(0)
    await store.set(a_sender("new", "new@shop.example"))
    senders.forget()
    read.set()

    assert "new" not in await reading
    assert "new" in await senders.of("orders")


def test_a_flaw_of_a_field_rests_on_the_type() -> None:
    for field in ("from", "reply_to", "headers"):
        assert Flaw(field, "").rests_on({"type"})
