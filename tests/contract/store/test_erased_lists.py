"""A suppression that became a hash when somebody was erased does what it did before."""

from dataclasses import replace

import pytest
from uuid_utils import compat

from notifier.audience.choice_change import Source
from notifier.audience.choices import ANY
from notifier.audience.erasure import SETTLE_S, AlsoKnown, ErasureRequest
from notifier.audience.links import Chooser
from notifier.audience.pseudonym import ERASED
from notifier.notification.model import Addressee, Channel, Status
from notifier.notification.outcomes import SuppressionReason
from notifier.notification.transitions import RETRY
from notifier.providers.receipt import Receipt
from tests.contract.store.stores import Stores, a_submission, an_end
from tests.people import a_profile, an_address

MAIL, NUMBER = "ada@example.org", "+491701234567"
UNSUBSCRIBED = SuppressionReason.UNSUBSCRIBED
NEWS = ("news", "email")


async def begin(stores: Stores) -> None:
    request = ErasureRequest(
        id=compat.uuid7(),
        service="orders",
        user_id="ada",
        reason="user_request",
        requested_by="key-1",
        also_addresses=[AlsoKnown(Channel.EMAIL, MAIL), AlsoKnown(Channel.SMS, NUMBER)],
    )
    await stores.erasures.begin(request)


async def go_on(stores: Stores) -> None:
    for _ in range(3):
        while await stores.erasing.step():
            pass
        await stores.pass_time(SETTLE_S + 1)


async def suppress(stores: Stores, channel: Channel, address: str, category: str | None) -> None:
    await stores.suppressions.add(
        service="orders",
        channel=channel,
        recipient=address,
        reason=UNSUBSCRIBED,
        category=category,
    )


async def erased(stores: Stores) -> None:
    """Erase whom these addresses are of, who had unsubscribed."""
    await suppress(stores, Channel.EMAIL, MAIL, "news")
    await suppress(stores, Channel.SMS, NUMBER, None)
    await begin(stores)
    await go_on(stores)
    found = await stores.suppressions.list(service=None, channel=None, limit=9, after=None)
    assert [each.recipient.startswith(ERASED) for each in found] == [True, True]


async def listed(stores: Stores) -> set[Channel]:
    found = await stores.suppressions.list(service=None, channel=None, limit=9, after=None)
    return {each.channel for each in found}


async def told(stores: Stores, **changes: object) -> int:
    fields = {"provider": "twilio", "event_id": compat.uuid7().hex, "id": None, "transition": None}
    receipt = Receipt(**(fields | changes))  # type: ignore[arg-type]  # of several types
    return (await stores.receipts.apply([receipt])).changed


async def test_start_by_sms_takes_it_off(stores: Stores) -> None:
    await erased(stores)

    assert await told(stores, number="+491701234568", lift=UNSUBSCRIBED) == 0
    assert await told(stores, number=NUMBER, lift=UNSUBSCRIBED) == 1

    assert await listed(stores) == {Channel.EMAIL}


async def test_subscribing_again_at_the_provider_takes_it_off(stores: Stores) -> None:
    await erased(stores)
    required = replace(a_submission(recipient=MAIL), addressee=Addressee(category="codes"))
    sent = await stores.claimed(required)

    assert await told(stores, id=sent.id, lift=UNSUBSCRIBED) == 1

    assert await listed(stores) == {Channel.SMS}


@pytest.mark.parametrize("user_id", [None, "bob"])
async def test_the_public_page_shows_it_and_takes_it_off(
    stores: Stores, user_id: str | None
) -> None:
    await erased(stores)
    await stores.people.put("orders", a_profile("bob", an_address(MAIL)))
    ada = Chooser(service="orders", channel=Channel.EMAIL, category="news", recipient=MAIL)
    by_address = (await stores.choosing.chosen(ada)).choices.by_place

    await stores.choosing.choose(replace(ada, user_id=user_id), {NEWS: True}, Source.PAGE)

    assert dict(by_address) == {NEWS: False}
    assert await listed(stores) == {Channel.SMS}
    assert (await stores.choosing.chosen(ada)).choices.by_place.get((ANY, "email")) is None


async def test_what_waits_for_somebody_else_at_the_address_is_stopped_as_before(
    stores: Stores,
) -> None:
    bob = Addressee(user_id="bob", category="news")
    waiting = replace(a_submission(recipient=MAIL), addressee=bob)
    required = replace(waiting, id=compat.uuid7(), addressee=replace(bob, is_required=True))
    other = replace(waiting, id=compat.uuid7(), addressee=replace(bob, category="offers"))
    for each in (waiting, required, other):
        await stores.accept(each)
    retried = await stores.claimed(replace(waiting, id=compat.uuid7()))
    await suppress(stores, Channel.EMAIL, MAIL, "news")
    await begin(stores)
    await go_on(stores)

    await stores.leases.finish(an_end(retried, RETRY))
    await go_on(stores)

    stopped = [await stores.status(each.id) for each in (waiting, retried)]
    assert stopped == [Status.SUPPRESSED] * 2
    assert [await stores.status(each.id) for each in (required, other)] == [Status.PENDING] * 2
