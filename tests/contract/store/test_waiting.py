"""For how long the oldest of each queue waits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from notifier.notification.model import Channel, Lane
from tests.contract.store.stores import Stores, a_submission, envelope_of


async def test_the_oldest_of_each_queue_counts_from_when_it_was_due(stores: Stores) -> None:
    published = await stores.accept(a_submission())
    await stores.publications.mark_published([envelope_of(published)])
    await stores.pass_time(30)
    await stores.accept(a_submission())
    await stores.accept(replace(a_submission(channel=Channel.SMS), lane=Lane.HIGH))
    await stores.pass_time(10)

    found = {(each.channel, each.lane): each.oldest_s for each in await stores.queries.waiting()}

    assert found.keys() == {(Channel.EMAIL, Lane.NORMAL), (Channel.SMS, Lane.HIGH)}
    assert 39 < found[Channel.EMAIL, Lane.NORMAL] < 45
    assert 9 < found[Channel.SMS, Lane.HIGH] < 15


async def test_neither_what_is_to_wait_nor_what_is_under_way_counts(stores: Stores) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    await stores.accept(a_submission(send_at=later))
    await stores.claimed(a_submission())

    assert await stores.queries.waiting() == []
