"""Commits whose answers are lost: who asks again gets the answer, and nothing happens twice."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from notifier.delivery.ports import Claimed, RescuePolicy
from notifier.errors import StoreUnavailableError
from notifier.idempotency import Applied, Idempotency, Remembered
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, OnUnknown, Status
from notifier.notification.transitions import EXPIRE, FAIL, INTERRUPT, RETRY, SUCCEED, Transition
from notifier.store.kit.database import Answer, Database, Work
from notifier.store.kit.statements import Parameters, Single
from tests.contract.store.proxy import linked
from tests.contract.store.stores import (
    A_FAULT,
    Stores,
    a_submission,
    an_end,
    envelope_of,
    open_stores,
)

TOKEN = uuid4()
HOLD = {channel: RescuePolicy(max_attempts=3, on_unknown=OnUnknown.HOLD) for channel in Channel}
ENDS = [SUCCEED, FAIL, EXPIRE, RETRY, INTERRUPT]


async def lost(stores: Stores, call: Callable[[], Awaitable[object]]) -> None:
    """Make a call that is committed, and whose answer never comes."""

    async def write(work: Work[Answer]) -> Answer:
        await Database.write(stores.database, work)
        raise StoreUnavailableError("the answer is lost")

    async def write_at_once(single: Single, parameters: Parameters) -> Sequence[Any]:
        await Database.write_at_once(stores.database, single, parameters)
        raise StoreUnavailableError("the answer is lost")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores.database, "write", write)
        patch.setattr(stores.database, "write_at_once", write_at_once)
        with pytest.raises(StoreUnavailableError):
            await call()


async def claim(stores: Stores, envelope: Envelope) -> Claimed | None:
    claim = stores.leases.claim
    found = await claim(envelope, lease_token=TOKEN, lease_s=60, leased_by="w")
    assert found is None or isinstance(found, Claimed)
    return found


async def test_a_claim_whose_answer_was_lost_finds_itself_again(stores: Stores) -> None:
    submission = await stores.accept()
    envelope = envelope_of(submission)
    await lost(stores, lambda: claim(stores, envelope))
    await stores.pass_time(50)

    claimed = await claim(stores, envelope)

    assert claimed is not None
    assert (claimed.attempt, claimed.attempts_spent, claimed.lease_token) == (1, 1, TOKEN)
    assert claimed.content == submission.content
    await stores.pass_time(50)
    assert await stores.upkeep.rescue(9, HOLD) == 0
    assert await stores.claim(envelope) is None
    assert await stores.leases.finish(an_end(claimed, SUCCEED))
    assert await stores.events(submission.id) == ["accept", "claim", "succeed"]


async def test_a_claim_that_was_rescued_meanwhile_is_void(stores: Stores) -> None:
    submission = await stores.accept()
    await lost(stores, lambda: claim(stores, envelope_of(submission)))
    await stores.pass_time(61)
    await stores.upkeep.rescue(9, HOLD)

    assert await claim(stores, envelope_of(submission)) is None

    assert await stores.status(submission.id) is Status.FAILED


@pytest.mark.parametrize("sensitive", [False, True])
async def test_a_claim_that_is_overdue_when_it_finds_itself_expires(
    stores: Stores, *, sensitive: bool
) -> None:
    now = (await stores.get((await stores.accept()).id)).created_at
    submission = a_submission(expires_at=now + timedelta(seconds=20), sensitive=sensitive)
    await stores.accept(submission)
    await lost(stores, lambda: claim(stores, envelope_of(submission)))
    await stores.pass_time(21)

    assert await claim(stores, envelope_of(submission)) is None

    expired = await stores.get(submission.id)
    assert (expired.status, expired.outcome_unknown) == (Status.EXPIRED, False)
    assert (expired.content is None) is sensitive
    assert await stores.events(submission.id) == ["accept", "claim", "expire"]


async def test_a_replayed_claim_whose_answer_was_lost_finds_itself_again(stores: Stores) -> None:
    failed = await stores.ended(FAIL)
    await lost(stores, lambda: claim(stores, envelope_of(failed, 1)))

    again = await claim(stores, envelope_of(failed, 1))

    assert again is not None
    assert again.attempt == 2
    assert (await stores.events(failed.id))[-2:] == ["replay", "claim"]


@pytest.mark.parametrize("transition", ENDS, ids=lambda each: str(each.name))
async def test_a_finish_whose_answer_was_lost_is_recorded_once(
    stores: Stores, transition: Transition
) -> None:
    claimed = await stores.claimed()
    end = an_end(claimed, transition, fault=A_FAULT)
    await lost(stores, lambda: stores.leases.finish(end))
    before = await stores.get(claimed.id)

    assert await stores.leases.finish(end)
    assert await stores.leases.finish(replace(end))

    assert await stores.get(claimed.id) == before
    assert await stores.events(claimed.id) == ["accept", "claim", transition.name]
    assert (await stores.queries.account(service=None)).late_completions == 0


async def test_a_finish_is_known_again_after_the_next_claim(stores: Stores) -> None:
    claimed = await stores.claimed()
    end = an_end(claimed, INTERRUPT, delay_s=0.0)
    await lost(stores, lambda: stores.leases.finish(end))
    current = await stores.claim(envelope_of(claimed, 1))
    assert current is not None

    assert await stores.leases.finish(end)

    assert await stores.leases.finish(an_end(current, SUCCEED))
    assert await stores.events(claimed.id) == ["accept", "claim", "interrupt", "claim", "succeed"]


@pytest.mark.parametrize("transition", ENDS, ids=lambda each: str(each.name))
async def test_a_finish_after_a_rescue_is_late_and_noted_once(
    stores: Stores, transition: Transition
) -> None:
    claimed = await stores.claimed()
    await stores.pass_time(61)
    await stores.upkeep.rescue(9, HOLD)
    end = an_end(claimed, transition)
    await lost(stores, lambda: stores.leases.finish(end))

    for _ in range(2):
        assert not await stores.leases.finish(end)

    assert await stores.status(claimed.id) is Status.FAILED
    assert await stores.events(claimed.id) == ["accept", "claim", "fail", "late_completion"]


@pytest.mark.parametrize("others", [0, 3])
async def test_an_acceptance_whose_answer_was_lost_is_remembered_by_its_key(
    postgres_store_url: str, others: int
) -> None:
    key = Idempotency(service="orders", key="k", fingerprint="f", answer="accepted")
    async with linked(postgres_store_url) as (url, link), open_stores(url) as stores:
        insert = stores.intake.insert
        beside = [[a_submission()] for _ in range(others)]
        assert await insert([a_submission()], replace(key, key="before")) == Applied()
        link.loses_commits = True
        results = await asyncio.gather(
            insert([a_submission()], key), *map(insert, beside), return_exceptions=True
        )
        link.loses_commits = False

        assert {type(each) for each in results} == {StoreUnavailableError}
        assert await insert([a_submission()], key) == Remembered("accepted")
        account = await stores.queries.account(service=None)
        assert (account.is_balanced, account.accepted) == (True, 2 + others)


async def test_a_link_that_breaks_in_the_commit_costs_neither_claim_nor_finish(
    postgres_store_url: str,
) -> None:
    async with linked(postgres_store_url) as (url, link), open_stores(url) as stores:
        submission = await stores.accept()
        link.loses_commits = True
        with pytest.raises(StoreUnavailableError):
            await claim(stores, envelope_of(submission))
        link.loses_commits = False
        claimed = await claim(stores, envelope_of(submission))
        assert claimed is not None

        link.loses_commits = True
        with pytest.raises(StoreUnavailableError):
            await stores.leases.finish(an_end(claimed, SUCCEED))
        link.loses_commits = False

        assert await stores.leases.finish(an_end(claimed, SUCCEED))
        assert await stores.events(submission.id) == ["accept", "claim", "succeed"]
