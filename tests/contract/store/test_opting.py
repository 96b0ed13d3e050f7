"""What people choose at providers: their choices, or entries for an address alone."""

from dataclasses import replace
from datetime import timedelta
from itertools import count
from uuid import UUID

from notifier.access.keys import mint
from notifier.audience.choice_change import Source
from notifier.audience.choices import ANY
from notifier.audience.links import Chooser
from notifier.audience.person import Address, Profile
from notifier.delivery.ports import Claimed
from notifier.notification.model import Addressee, Channel
from notifier.notification.outcomes import SuppressionReason
from notifier.notification.transitions import SUCCEED
from notifier.providers.receipt import Receipt
from tests.contract.store.stores import Stores, a_submission

NUMBER = "+491701234567"
UNSUBSCRIBED, SPAM = SuppressionReason.UNSUBSCRIBED, SuppressionReason.SPAM_REPORT
NEWS = ("news", "email")
_events = count()


async def sent(stores: Stores, user_id: str | None = None, category: str | None = "news") -> UUID:
    to = Addressee(user_id=user_id, category=category)
    return (await stores.ended(SUCCEED, replace(a_submission(), addressee=to))).id


async def know_emma(stores: Stores) -> None:
    email = Address(channel=Channel.EMAIL, address=a_submission().recipient, is_primary=True)
    phone = Address(channel=Channel.SMS, address=NUMBER, is_primary=True)
    await stores.people.put("orders", Profile(user_id="emma", addresses=(email, phone)))
    key = mint()
    await stores.keys.add(
        id=key.id, service="orders", scopes=["send"], digest="00", expires_at=None
    )


async def told(stores: Stores, id: UUID | None = None, **what: object) -> int:
    fields = {"provider": "sendgrid", "event_id": f"e{next(_events)}", "transition": None}
    receipt = Receipt(id=id, **(fields | what))  # type: ignore[arg-type]  # of several types
    return (await stores.receipts.apply([receipt])).changed


async def choices(stores: Stores) -> dict[tuple[str, str], bool]:
    return dict((await stores.directory.people("orders", ["emma"]))["emma"].choices.by_place)


async def listed(stores: Stores) -> list[tuple[str, str | None, str]]:
    found = await stores.suppressions.list(service=None, channel=None, limit=9, after=None)
    return [(each.service, each.category, each.reason.value) for each in found]


async def sources(stores: Stores) -> list[tuple[str, bool | None, Source]]:
    found = await stores.choice_history.of("orders", "emma", limit=9, before=None)
    return [(each.category, each.is_on, each.source) for each in reversed(found)]


async def test_an_address_that_leaves_a_group_gets_everything_else_and_may_come_back(
    stores: Stores,
) -> None:
    id, other = await sent(stores), await sent(stores, category="offers")

    assert await told(stores, id, suppress_as=UNSUBSCRIBED, is_of_category=True) == 1
    assert await told(stores, other, suppress_as=UNSUBSCRIBED, is_of_category=True) == 1
    assert await listed(stores) == [
        ("orders", "news", "unsubscribed"),
        ("orders", "offers", "unsubscribed"),
    ]
    assert await told(stores, id, lift=UNSUBSCRIBED, is_of_category=True) == 1

    assert await listed(stores) == [("orders", "offers", "unsubscribed")]


async def test_a_person_who_leaves_a_group_chose_so_and_may_come_back(stores: Stores) -> None:
    await know_emma(stores)
    id = await sent(stores, "emma")

    assert await told(stores, id, suppress_as=UNSUBSCRIBED, is_of_category=True) == 1
    assert (await choices(stores), await listed(stores)) == ({NEWS: False}, [])
    assert await told(stores, id, lift=UNSUBSCRIBED, is_of_category=True) == 1

    assert await choices(stores) == {NEWS: True}
    assert await sources(stores) == [
        ("news", False, Source.PROVIDER),
        ("news", True, Source.PROVIDER),
    ]


async def test_a_person_who_leaves_everything_comes_back_by_the_page(stores: Stores) -> None:
    await know_emma(stores)
    id = await sent(stores, "emma")
    await told(stores, id, suppress_as=UNSUBSCRIBED)
    assert await choices(stores) == {(ANY, "email"): False}
    assert await listed(stores) == [("orders", None, "unsubscribed")]

    emma = Chooser(service="orders", channel=Channel.EMAIL, category="news", user_id="emma")
    await stores.choosing.choose(emma, {NEWS: True}, Source.PAGE)

    assert await listed(stores) == []


async def test_a_complaint_is_a_choice_and_stays_whatever_is_chosen(stores: Stores) -> None:
    await know_emma(stores)
    id = await sent(stores, "emma")

    assert await told(stores, id, suppress_as=SPAM) == 1
    emma = Chooser(service="orders", channel=Channel.EMAIL, category="news", user_id="emma")
    await stores.choosing.choose(emma, {NEWS: True}, Source.PAGE)
    await told(stores, id, lift=UNSUBSCRIBED, is_of_category=True)

    assert await listed(stores) == [("orders", None, "spam_report")]
    assert (await sources(stores))[0] == (ANY, False, Source.COMPLAINT)


async def test_stop_and_start_by_sms_are_choices_of_whose_number_it_is(stores: Stores) -> None:
    await know_emma(stores)

    assert await told(stores, number=NUMBER, suppress_as=UNSUBSCRIBED) == 1
    assert await told(stores, number=NUMBER, suppress_as=UNSUBSCRIBED) == 0
    assert await choices(stores) == {(ANY, "sms"): False}
    assert await told(stores, number=NUMBER, lift=UNSUBSCRIBED) == 1

    assert await choices(stores) == {}
    assert await sources(stores) == [(ANY, False, Source.STOP), (ANY, None, Source.STOP)]


async def test_stop_lists_a_number_for_the_services_that_sent_to_it(stores: Stores) -> None:
    await know_emma(stores)
    sms = a_submission(channel=Channel.SMS, recipient="+491701234568")
    claimed = await stores.claimed(sms)
    assert isinstance(claimed, Claimed)
    for number in ("+491701234568", "+491701234569"):
        await told(stores, number=number, suppress_as=UNSUBSCRIBED)

    assert await listed(stores) == [("orders", None, "unsubscribed")]
    assert await told(stores, number="+491701234568", lift=UNSUBSCRIBED) == 1
    assert await listed(stores) == []


async def test_who_came_back_to_one_group_may_have_left_another_before(stores: Stores) -> None:
    news, offers = await sent(stores), await sent(stores, category="offers")
    now = await stores.now()
    of_group = {"is_of_category": True}
    await told(stores, news, lift=UNSUBSCRIBED, at=now, **of_group)

    late = now - timedelta(minutes=5)
    assert await told(stores, news, suppress_as=UNSUBSCRIBED, at=late, **of_group) == 0
    assert await told(stores, offers, suppress_as=UNSUBSCRIBED, at=late, **of_group) == 1

    assert await listed(stores) == [("orders", "offers", "unsubscribed")]
