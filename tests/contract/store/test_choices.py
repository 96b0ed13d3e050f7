"""What became of choices: noted with each change, the newest first."""

from dataclasses import replace
from functools import partial
from uuid import uuid4

from notifier.audience.choice_change import ChoiceChange, NotedChange, Source
from notifier.audience.choices import ANY
from notifier.store.choices import note
from tests.contract.store.stores import Stores

OFF = ChoiceChange(
    service="orders",
    user_id="u-7",
    category="news",
    channel="email",
    is_on=False,
    source=Source.ONE_CLICK,
    recipient="ada@example.org",
    notification_id=uuid4(),
)


async def noted(stores: Stores, *changes: ChoiceChange) -> None:
    for change in changes:
        await stores.database.write(partial(note, changes=[change]))


def told(change: NotedChange) -> ChoiceChange:
    fields = ChoiceChange.__dataclass_fields__
    return ChoiceChange(**{name: getattr(change, name) for name in fields})


async def test_changes_are_told_as_they_were_noted_the_newest_first(stores: Stores) -> None:
    back = replace(OFF, channel=ANY, is_on=None, source=Source.API, notification_id=None)
    await noted(stores, OFF, replace(OFF, user_id="u-8"), replace(OFF, service="payments"), back)

    found = await stores.choice_history.of("orders", "u-7", limit=10, before=None)

    assert [told(each) for each in found] == [back, OFF]
    assert found[0].at.tzinfo is not None


async def test_a_page_goes_on_behind_the_last_one_seen(stores: Stores) -> None:
    await noted(stores, *(replace(OFF, category=f"c{number}") for number in range(3)))

    first = await stores.choice_history.of("orders", "u-7", limit=2, before=None)
    rest = await stores.choice_history.of("orders", "u-7", limit=2, before=first[-1].id)

    assert [each.category for each in (*first, *rest)] == ["c2", "c1", "c0"]
