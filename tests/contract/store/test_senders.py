"""Senders: named, of one service, and kept as they were set."""

from dataclasses import replace

from notifier.idempotency import NotFound
from notifier.intake.senders import MAX_SENDERS, Sender, TooMany
from notifier.mailbox import Mailbox
from tests.contract.store.stores import Stores
from tests.senders import a_sender

NEWS = Sender(
    service="orders",
    name="news",
    mailbox=Mailbox('B\u00fcro "North", \\', "news@shop.example"),
    reply_to=Mailbox("Help", "help@shop.example"),
)


def told(sender: Sender) -> tuple[object, ...]:
    return (sender.service, sender.name, sender.mailbox, sender.reply_to)


async def listed(stores: Stores, service: str | None = None) -> list[str]:
    found = await stores.senders.list(service=service, limit=200, after=None)
    return [f"{each.service} {each.name}" for each in found]


async def test_a_sender_is_kept_as_it_was_set(stores: Stores) -> None:
    for sender in (NEWS, replace(NEWS, reply_to=None), replace(NEWS, mailbox=Mailbox("", "a@b.c"))):
        stored = await stores.senders.set(sender)

        assert not isinstance(stored, TooMany)
        assert told(stored) == told(sender)
        assert stored.updated_at.tzinfo is not None
        assert {name: told(each) for name, each in (await stores.senders.of("orders")).items()} == {
            "news": told(sender)
        }


async def test_a_service_has_senders_of_its_own(stores: Stores) -> None:
    await stores.senders.set(NEWS)
    await stores.senders.set(replace(NEWS, service="payments"))
    await stores.senders.set(a_sender("alerts", "alerts@shop.example"))

    assert await listed(stores) == ["orders alerts", "orders news", "payments news"]
    assert await listed(stores, "payments") == ["payments news"]
    after = await stores.senders.list(service=None, limit=1, after=("orders", "news"))
    assert [each.service for each in after] == ["payments"]
    assert set(await stores.senders.of("orders")) == {"alerts", "news"}


async def test_what_is_removed_is_gone_for_its_service_alone(stores: Stores) -> None:
    await stores.senders.set(NEWS)
    await stores.senders.set(replace(NEWS, service="payments"))

    assert await stores.senders.remove("orders", "news") is None
    assert await stores.senders.remove("orders", "news") == NotFound()
    assert await listed(stores) == ["payments news"]


async def test_a_service_has_only_so_many(stores: Stores) -> None:
    for index in range(MAX_SENDERS):
        await stores.senders.set(a_sender(f"s{index}", "a@shop.example"))

    assert await stores.senders.set(a_sender("one-more", "a@shop.example")) == TooMany()
    assert not isinstance(await stores.senders.set(a_sender("s1", "b@shop.example")), TooMany)
    assert len(await stores.senders.of("orders")) == MAX_SENDERS
