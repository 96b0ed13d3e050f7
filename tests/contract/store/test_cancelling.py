"""Taking back what is pending, by the key that it was made with."""

from dataclasses import replace
from functools import partial

from uuid_utils import compat

from notifier.intake.ports import Submission
from notifier.notification.model import Status
from notifier.notification.origin import Condition, Origin, Unless
from notifier.store.notification.cancelling import cancel_within
from tests.contract.store.stores import Stores, a_submission, envelope_of


async def made_by(
    stores: Stores, rule: str, key: str, event: str | None = None, service: str = "orders"
) -> Submission:
    origin = Origin(rule=rule, key=key, unless_event=event)
    return await stores.accept(replace(a_submission(service=service), origin=origin))


async def test_all_that_is_pending_with_a_key_is_cancelled_and_nothing_else(
    stores: Stores,
) -> None:
    one, other = await made_by(stores, "a", "o-1"), await made_by(stores, "b", "o-1")
    without = await stores.accept()
    left = [await made_by(stores, "a", "o-2"), await made_by(stores, "a", "o-1", service="x")]

    assert await stores.orders.cancel_keyed("orders", "o-1") == 2
    assert await stores.orders.cancel_keyed("orders", "o-1") == 0

    for each in (one, other):
        assert (await stores.get(each.id)).status is Status.CANCELLED
        assert await stores.events(each.id) == ["accept", "cancel"]
    for each in (*left, without):
        assert (await stores.get(each.id)).status is Status.PENDING


async def test_where_it_comes_from_is_kept(stores: Stores) -> None:
    unless = Unless(compat.uuid7(), Condition.READ)
    origin = Origin(rule="a", key="o-1", unless=unless, unless_event="order.paid")
    submission = await stores.accept(replace(a_submission(), origin=origin))
    claimed = await stores.claim(envelope_of(submission))

    assert (await stores.get(submission.id)).origin == origin
    assert claimed is not None
    assert claimed.unless == unless
    assert (await stores.get((await stores.accept()).id)).origin is None


async def test_what_is_under_way_is_not_cancelled(stores: Stores) -> None:
    submission = await made_by(stores, "a", "o-1")
    await stores.claim(envelope_of(submission))

    assert await stores.orders.cancel_keyed("orders", "o-1") == 0
    assert (await stores.get(submission.id)).status is Status.PROCESSING


async def test_of_one_rule_or_of_what_an_event_keeps_back_only_that_is_cancelled(
    stores: Stores,
) -> None:
    kept = [await made_by(stores, "b", "o-1"), await made_by(stores, "a", "o-1")]
    gone = await made_by(stores, "a", "o-1", "order.paid")
    cancel = partial(
        cancel_within, service="orders", key="o-1", rule="a", unless_event="order.paid"
    )

    assert await stores.database.write(cancel) == [gone.id]
    assert await stores.database.write(
        partial(cancel_within, service="orders", key="o-1", rule="a")
    ) == [kept[1].id]
    assert (await stores.get(kept[0].id)).status is Status.PENDING
