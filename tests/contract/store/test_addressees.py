from dataclasses import replace
from uuid import UUID

import pytest

from notifier.idempotency import Applied, Idempotency
from notifier.notification.model import Addressee, Channel, Status
from notifier.notification.outcomes import Fault, SuppressionReason
from notifier.notification.reading import NotificationFilter
from notifier.notification.transitions import SUCCEED
from tests.contract.store.stores import PSEUDONYMS, Stores, a_submission, utc

SWITCHED_OFF = Fault(kind="suppressed", code="choice", message="newsletter is switched off")


async def found(
    stores: Stores,
    *,
    service: str | None = "orders",
    recipient: str | None = None,
    user_id: str | None = None,
    category: str | None = None,
) -> list[UUID]:
    wanted = NotificationFilter(recipient=recipient, user_id=user_id, category=category)
    page = await stores.queries.list(wanted, service=service, limit=10, after=None)
    return [each.id for each in page.items]


QUIET = Fault(kind="deferred", code="quiet_hours", message="quiet hours until 06:00 UTC")


@pytest.mark.parametrize(
    "addressee",
    [
        Addressee(user_id="u-7", category="newsletter"),
        Addressee(user_id="u-7", category="security", is_required=True, is_address_given=True),
        Addressee(category="newsletter"),
        None,
    ],
)
async def test_whom_a_notification_is_for_reaches_who_sends_it(
    stores: Stores, addressee: Addressee | None
) -> None:
    claimed = await stores.claimed(replace(a_submission(), addressee=addressee))

    assert claimed.addressee == addressee
    assert (await stores.get(claimed.id)).addressee == addressee


@pytest.mark.parametrize("key", [None, "key-1"])
async def test_what_its_recipient_does_not_want_is_stored_and_suppressed_at_once(
    stores: Stores, key: str | None
) -> None:
    unwanted = replace(a_submission(sensitive=True), withheld=SWITCHED_OFF)
    wanted = a_submission()
    idempotency = key and Idempotency(service="orders", key=key, fingerprint="f", answer="a")

    result = await stores.intake.insert([unwanted, wanted], idempotency or None)

    assert result == Applied(frozenset({unwanted.id}))
    stored = await stores.get(unwanted.id)
    assert (stored.status, stored.fault, stored.content) == (
        Status.SUPPRESSED,
        SWITCHED_OFF,
        None,
    )
    assert stored.finished_at is not None
    assert await stores.events(unwanted.id) == ["accept", "suppress"]
    timeline = await stores.queries.timeline(unwanted.id)
    assert [each.fault for each in timeline] == [None, SWITCHED_OFF]
    assert (await stores.get(wanted.id)).status is Status.PENDING
    assert await stores.events(wanted.id) == ["accept"]


async def test_many_at_once_each_have_their_own_reason(stores: Stores) -> None:
    faults = [replace(SWITCHED_OFF, code=f"choice-{n}") if n % 2 else None for n in range(30)]
    asked = [replace(a_submission(), withheld=fault) for fault in faults]

    await stores.intake.insert(asked)

    assert [(await stores.get(each.id)).fault for each in asked] == faults


@pytest.mark.parametrize("key", [None, "key-1"])
async def test_what_comes_in_quiet_hours_waits_for_their_end_and_says_so(
    stores: Stores, key: str | None
) -> None:
    at = utc("2999-12-31T06:00:00+00:00")
    quiet = replace(a_submission(send_at=at), withheld=QUIET)
    idempotency = key and Idempotency(service="orders", key=key, fingerprint="f", answer="a")

    assert await stores.intake.insert([quiet], idempotency or None) == Applied()

    stored = await stores.get(quiet.id)
    assert (stored.status, stored.due_at, stored.fault) == (Status.PENDING, at, QUIET)
    assert await stores.events(quiet.id) == ["accept", "defer"]
    assert [each.fault for each in await stores.queries.timeline(quiet.id)] == [None, QUIET]


async def test_what_is_under_lease_may_go_to_another_address(stores: Stores) -> None:
    claimed = await stores.claimed()

    assert await stores.leases.redirect(claimed, "Ada@new.example")

    assert (await stores.get(claimed.id)).recipient == "Ada@new.example"
    assert await found(stores, recipient="ada@NEW.example") == [claimed.id]


async def test_nothing_goes_to_another_address_that_is_suppressed(stores: Stores) -> None:
    await stores.suppressions.add(
        service="orders",
        channel=Channel.EMAIL,
        recipient="ada@new.example",
        reason=SuppressionReason.HARD_BOUNCE,
    )
    claimed = await stores.claimed()

    assert not await stores.leases.redirect(claimed, "ada@new.example")


async def test_nothing_goes_to_another_address_that_was_erased_and_is_suppressed(
    stores: Stores,
) -> None:
    kept = PSEUDONYMS.of("orders", Channel.EMAIL, "ada@new.example")
    await stores.suppressions.add(
        service="orders",
        channel=Channel.EMAIL,
        recipient=kept,
        reason=SuppressionReason.HARD_BOUNCE,
    )
    claimed = await stores.claimed()

    assert not await stores.leases.redirect(claimed, "Ada@NEW.example")


async def test_who_lost_the_lease_changes_no_address(stores: Stores) -> None:
    claimed = await stores.ended(SUCCEED)

    assert not await stores.leases.redirect(claimed, "ada@new.example")

    assert (await stores.get(claimed.id)).recipient == "ada@example.org"


async def test_those_of_a_person_and_of_a_category_are_found(stores: Stores) -> None:
    ada = [
        await stores.accept(
            replace(a_submission(), addressee=Addressee(user_id="u-7", category=category))
        )
        for category in ("news", "offers", "news")
    ]
    await stores.accept(replace(a_submission(), addressee=Addressee(user_id="u-8")))
    await stores.accept(replace(a_submission(service="other"), addressee=Addressee(user_id="u-7")))

    newest_first = [each.id for each in reversed(ada)]
    for service in ("orders", None):
        theirs = await found(stores, service=service, user_id="u-7")
        assert [id for id in theirs if id in newest_first] == newest_first
    assert await found(stores, user_id="u-7", category="news") == newest_first[::2]
    assert await found(stores, category="offers") == [ada[1].id]
    assert await found(stores, user_id="u-9") == []
