"""What is for a person goes where they are, if they still want it, at the last moment."""

from dataclasses import replace

import pytest

from notifier.audience.category import Category
from notifier.audience.choice_change import Source
from notifier.audience.links import Chooser
from notifier.errors import StoreUnavailableError
from notifier.intake.ports import Submission
from notifier.notification.model import Addressee, Channel, Status
from tests.contract.store.stores import a_submission
from tests.contract.worker.bench import Bench
from tests.people import a_profile, an_address

NEWS = Addressee(user_id="u-7", category="news")
GIVEN = replace(NEWS, is_address_given=True)
REQUIRED = Addressee(user_id="u-7", category="security", is_required=True)


@pytest.fixture(autouse=True)
async def person(bench: Bench) -> None:
    await bench.stores.people.put("orders", a_profile("u-7"))
    await bench.stores.categories.set(Category(service="orders", key="news"))
    security = Category(service="orders", key="security", can_switch_off=False)
    await bench.stores.categories.set(security)


def to_person(to: Addressee = NEWS) -> Submission:
    return replace(a_submission(), addressee=to)


async def switch_off(bench: Bench) -> None:
    chooser = Chooser(service="orders", channel=Channel.EMAIL, category="news", user_id="u-7")
    await bench.stores.choosing.choose(chooser, {("news", "email"): False}, Source.ONE_CLICK)


async def test_who_still_wants_it_gets_it(bench: Bench) -> None:
    stands = await bench.attempt(await bench.accept(to_person()))

    assert stands.status is Status.SENT
    assert [each.recipient for each in bench.adapter.messages] == ["ada@example.org"]


async def test_who_unsubscribed_meanwhile_gets_nothing(bench: Bench) -> None:
    envelopes = [await bench.accept(to_person()), await bench.accept(to_person(GIVEN))]
    required = await bench.accept(to_person(REQUIRED))
    await switch_off(bench)

    for envelope in envelopes:
        stands = await bench.attempt(envelope)
        assert stands.fault
        assert (stands.status, stands.fault.code) == (Status.SUPPRESSED, "choice")
        assert await bench.stores.events(envelope.id) == ["accept", "claim", "suppress"]
    assert bench.adapter.messages == []
    assert (await bench.attempt(required)).status is Status.SENT


async def test_a_choice_counts_though_its_category_is_removed_meanwhile(bench: Bench) -> None:
    envelope = await bench.accept(to_person())
    await switch_off(bench)
    await bench.stores.categories.remove("orders", "news")

    stands = await bench.attempt(envelope)

    assert stands.fault
    assert (stands.status, stands.fault.code) == (Status.SUPPRESSED, "choice")


async def test_what_cannot_be_switched_off_any_more_goes_out(bench: Bench) -> None:
    envelope = await bench.accept(to_person())
    await switch_off(bench)
    await bench.stores.categories.set(Category(service="orders", key="news", can_switch_off=False))

    assert (await bench.attempt(envelope)).status is Status.SENT


async def test_who_moved_gets_it_where_they_are_now(bench: Bench) -> None:
    envelope = await bench.accept(to_person())
    await bench.stores.people.put("orders", a_profile("u-7", an_address("Ada@new.example")))

    stands = await bench.attempt(envelope)

    assert (stands.status, stands.recipient) == (Status.SENT, "Ada@new.example")
    assert [each.recipient for each in bench.adapter.messages] == ["Ada@new.example"]


async def test_who_is_not_there_any_more_gets_nothing(bench: Bench) -> None:
    envelope = await bench.accept(to_person())
    await bench.stores.people.delete("orders", "u-7")

    stands = await bench.attempt(envelope)

    assert stands.fault
    assert (stands.status, stands.fault.code) == (Status.SUPPRESSED, "unknown_user")
    assert bench.adapter.messages == []
    assert await bench.stores.events(envelope.id) == ["accept", "claim", "suppress"]


async def test_a_directory_that_cannot_be_read_costs_no_attempt(bench: Bench) -> None:
    envelope = await bench.accept(to_person())
    bench.directory.failures["people"].append(StoreUnavailableError("gone"))

    stands = await bench.attempt(envelope)

    assert (stands.status, stands.attempts) == (Status.PENDING, 0)
    assert bench.adapter.messages == []
