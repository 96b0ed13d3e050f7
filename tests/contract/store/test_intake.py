import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy import insert as insert_row

from notifier.clock import SystemClock
from notifier.errors import StoreBusyError, StoreRefusedError
from notifier.idempotency import Applied, Idempotency, KeyReused, Remembered
from notifier.intake.ports import InsertResult, Submission
from notifier.notification.mail import MailDetails
from notifier.notification.model import Channel, Status
from notifier.notification.sms import SmsEncoding, SmsRules, SmsSize
from notifier.store.kit.idempotency import idempotency_keys
from notifier.store.kit.sql import Now
from notifier.store.notification.tables import notification_events, notifications
from tests.contract.store.proxy import linked
from tests.contract.store.stores import DETAILS, Stores, a_submission, ids, open_stores, utc
from tests.patience import HASTY


def a_key(key: str = "key-1", *, fingerprint: str = "f1", answer: str = "a1") -> Idempotency:
    return Idempotency(service="orders", key=key, fingerprint=fingerprint, answer=answer)


async def count(stores: Stores, table: object = notifications) -> int:
    async with stores.database._reader.connect() as connection:  # noqa: SLF001
        return await connection.scalar(select(func.count()).select_from(table)) or 0  # type: ignore[arg-type]


async def test_a_notification_is_stored_as_it_was_asked_for(stores: Stores) -> None:
    asked = a_submission(expires_at=utc("2999-12-31T23:59:59.5+02:00"), sensitive=True)

    assert await stores.intake.insert([asked]) == Applied()

    stored = await stores.get(asked.id)
    for name in ("service", "channel", "lane", "recipient", "subject", "content", "html"):
        assert getattr(stored, name) == getattr(asked, name)
    assert stored.metadata == asked.metadata
    assert json.dumps(stored.variables) == json.dumps(asked.variables)
    assert stored.expires_at == asked.expires_at
    assert stored.sensitive
    assert (stored.status, stored.attempts, stored.fault) == (Status.PENDING, 0, None)
    assert stored.due_at == stored.created_at
    assert await stores.events(asked.id) == ["accept"]


@pytest.mark.parametrize(
    "details",
    [DETAILS, replace(DETAILS, sender=None), replace(DETAILS, reply_to=None, headers={}), None],
)
async def test_what_a_mail_has_besides_its_content_reaches_who_sends_it(
    stores: Stores, details: MailDetails | None
) -> None:
    claimed = await stores.claimed(a_submission(mail=details))

    message = await stores.composer(SystemClock()).message(claimed)

    assert (claimed.mail, message.mail) == (details, details)
    assert (await stores.get(claimed.id)).mail == details


@pytest.mark.parametrize("action_url", ["/orders/{{ number }}?from=\u00e4", None])
async def test_where_a_notification_leads_reaches_who_sends_it(
    stores: Stores, action_url: str | None
) -> None:
    claimed = await stores.claimed(a_submission(action_url=action_url))

    message = await stores.composer(SystemClock()).message(claimed)

    assert claimed.action_url == action_url
    assert message.action_url == (action_url and f"/orders/{10**30}?from=\u00e4")
    assert (await stores.get(claimed.id)).action_url == action_url


async def test_finished_content_is_sent_as_it_is_kept(stores: Stores) -> None:
    claimed = await stores.claimed(a_submission(is_finished=True))
    message = await stores.composer(SystemClock()).message(claimed)

    assert (message.subject, message.html) == ("Order {{ number }}", "<b>{{ name }}</b>")
    assert (await stores.get(claimed.id)).is_finished
    assert not (await stores.get((await stores.claimed(a_submission())).id)).is_finished


async def test_the_size_of_an_sms_is_kept_and_it_is_folded_when_it_is_sent(stores: Stores) -> None:
    size = SmsSize(SmsEncoding.UCS2, 3)
    asked = replace(
        a_submission(channel=Channel.SMS, recipient="+491701234567", size=size),
        content="it\u2019s {{ x }}",
        variables={"x": "\u2026"},
        subject=None,
        html=None,
    )
    claimed = await stores.claimed(asked)
    as_it_is = await stores.composer(SystemClock()).message(claimed)
    folded = await stores.composer(SystemClock(), SmsRules(folds=True)).message(claimed)

    assert (await stores.get(claimed.id)).size == size
    assert (await stores.get((await stores.claimed(a_submission())).id)).size is None
    assert (as_it_is.text, folded.text) == ("it\u2019s \u2026", "it's ...")


async def test_what_is_optional_may_be_missing(stores: Stores) -> None:
    asked = replace(
        a_submission(), subject=None, html=None, variables=None, metadata=None, traceparent=None
    )

    await stores.intake.insert([asked])

    stored = await stores.get(asked.id)
    assert (stored.subject, stored.html, stored.variables) == (None, None, None)
    assert stored.metadata == {}


async def test_of_several_notifications_all_or_none_are_stored(stores: Stores) -> None:
    known = await stores.accept()

    with pytest.raises(StoreRefusedError):
        await stores.intake.insert([a_submission(), known, a_submission()], a_key())

    assert await count(stores) == 1
    assert await count(stores, notification_events) == 1
    assert await count(stores, idempotency_keys) == 0


async def test_one_bad_request_does_not_spoil_those_that_came_with_it(stores: Stores) -> None:
    known = await stores.accept()
    requests = [[a_submission()], [known], [a_submission()]]

    results = await asyncio.gather(*map(stores.intake.insert, requests), return_exceptions=True)

    assert [type(result) for result in results] == [Applied, StoreRefusedError, Applied]
    assert await count(stores) == 3


@pytest.mark.parametrize("text", ["nul \0", "surrogate \ud800"])
async def test_text_that_postgresql_cannot_hold_is_refused_without_being_quoted(
    stores: Stores, text: str
) -> None:
    for bad in (
        replace(a_submission(), content=f"secret {text}"),
        replace(a_submission(), metadata={"secret": text}),
        replace(a_submission(), metadata={text: "secret"}),
    ):
        with pytest.raises(StoreRefusedError) as caught:
            await stores.intake.insert([bad])
        assert "secret" not in str(caught.value)
    assert await count(stores) == 0


async def test_an_unpublished_notification_is_left_to_its_api_for_a_grace(stores: Stores) -> None:
    asked = await stores.accept()
    assert await stores.upkeep.take_due(10, hold_s=1) == []

    await stores.pass_time(5.5)

    (envelope,) = await stores.upkeep.take_due(10, hold_s=1)
    assert (envelope.id, envelope.attempt) == (asked.id, 0)
    assert (envelope.channel, envelope.lane) == (asked.channel, asked.lane)
    assert envelope.traceparent == asked.traceparent


async def test_a_scheduled_notification_comes_up_when_its_time_has_come(stores: Stores) -> None:
    created_at = (await stores.get((await stores.accept()).id)).created_at
    late = await stores.accept(a_submission(send_at=created_at - timedelta(seconds=60)))
    scheduled = await stores.accept(a_submission(send_at=created_at + timedelta(seconds=90)))
    assert (await stores.get(scheduled.id)).due_at > created_at + timedelta(seconds=89)

    assert ids(await stores.upkeep.take_due(10, hold_s=1_000)) == [late.id]
    await stores.pass_time(60)
    await stores.upkeep.take_due(10, hold_s=1_000)
    await stores.pass_time(31)
    assert ids(await stores.upkeep.take_due(10, hold_s=1_000)) == [scheduled.id]


async def test_a_repeated_request_gets_the_first_answer_and_changes_nothing(
    stores: Stores,
) -> None:
    assert await stores.intake.insert([a_submission()], a_key()) == Applied()

    again = await stores.intake.insert([a_submission()], a_key(answer="a2"))

    assert again == Remembered("a1")
    assert await count(stores) == 1


async def test_a_key_used_for_another_request_is_refused(stores: Stores) -> None:
    await stores.intake.insert([a_submission()], a_key())

    result = await stores.intake.insert([a_submission()], a_key(fingerprint="f2"))

    assert result == KeyReused()
    assert await count(stores) == 1


async def test_services_do_not_share_keys(stores: Stores) -> None:
    await stores.intake.insert([a_submission()], a_key())

    other = replace(a_key(), service="payments")

    assert await stores.intake.insert([a_submission()], other) == Applied()


def _split(results: Sequence[InsertResult]) -> tuple[int, int]:
    applied = sum(result == Applied() for result in results)
    remembered = sum(isinstance(result, Remembered) for result in results)
    return applied, remembered


async def test_fifty_equal_requests_at_once_give_one_row_and_fifty_answers(
    stores: Stores,
) -> None:
    async with open_stores(stores.url) as other:
        inserts = [
            (stores, other)[number % 2].intake.insert([a_submission()], a_key(answer="a"))
            for number in range(50)
        ]
        results = await asyncio.gather(*inserts)

    assert _split(results) == (1, 49)
    assert {result.answer for result in results if isinstance(result, Remembered)} == {"a"}
    assert await count(stores) == 1


async def test_everybody_in_a_batch_gets_an_answer_of_his_own(stores: Stores) -> None:
    lost = a_submission(recipient="lost@example.org")
    await stores.suppress(lost)
    await stores.intake.insert([a_submission()], a_key("used", answer="then"))
    many = [a_submission() for _ in range(20)]
    requests: list[tuple[list[Submission], Idempotency | None]] = [
        ([a_submission()], a_key("new")),
        ([a_submission()], a_key("used")),
        ([a_submission()], None),
        ([a_submission()], a_key("used", fingerprint="f2")),
        ([a_submission(), lost], a_key("some are out")),
        ([a_submission()], a_key("new", answer="a2")),
        ([a_submission()], a_key("new", fingerprint="f2")),
        ([a_submission()], replace(a_key("used"), service="payments")),
        (many, a_key("many")),
    ]

    results = await asyncio.gather(*(stores.intake.insert(*each) for each in requests))

    assert results == [
        Applied(),
        Remembered("then"),
        Applied(),
        KeyReused(),
        Applied(frozenset({lost.id})),
        Remembered("a1"),
        KeyReused(),
        Applied(),
        Applied(),
    ]
    inserted = [
        each.id
        for (submissions, _key), result in zip(requests, results, strict=True)
        for each in submissions
        if isinstance(result, Applied)
    ]
    assert await count(stores) == 1 + len(inserted)
    for id in inserted:
        assert (await stores.events(id))[0] == "accept"
    assert await stores.events(lost.id) == ["accept", "suppress"]
    assert await count(stores, idempotency_keys) == 5


async def test_a_key_s_answer_is_kept_only_with_what_it_answers(stores: Stores) -> None:
    known = await stores.accept()
    requests = [([a_submission()], a_key("good")), ([a_submission(), known], a_key("bad"))]

    results = await asyncio.gather(
        *(stores.intake.insert(*each) for each in requests), return_exceptions=True
    )

    assert [type(result) for result in results] == [Applied, StoreRefusedError]
    assert await count(stores) == 2
    assert await stores.intake.insert([a_submission()], a_key("bad")) == Applied()
    assert await stores.intake.insert([a_submission()], a_key("good")) == Remembered("a1")


async def test_a_key_costs_no_round_trip_more(postgres_store_url: str) -> None:
    async with linked(postgres_store_url) as (url, link), open_stores(url) as stores:

        async def asked(key: Idempotency | None) -> int:
            before = link.round_trips
            assert await stores.intake.insert([a_submission()], key) == Applied()
            return link.round_trips - before

        # The first connects and prepares; and after a pause the connection is tried first.
        assert min([await asked(a_key(f"key-{number}")) for number in range(5)]) == 1
        assert min([await asked(None) for _ in range(5)]) == 1


async def test_processes_that_use_the_same_keys_do_not_block_one_another(stores: Stores) -> None:
    names = [f"key-{number}" for number in range(20)]
    async with open_stores(stores.url) as other:
        inserts = [
            store.intake.insert([a_submission()], a_key(name))
            for store, order in ((stores, names), (other, names[::-1]))
            for name in order
        ]
        results = await asyncio.gather(*inserts)

    assert _split(results) == (20, 20)


async def test_a_key_that_another_transaction_is_about_to_keep_is_busy(store_url: str) -> None:
    async with open_stores(store_url, HASTY) as stores, open_stores(store_url) as other:
        async with other.database._writer.connect() as connection:  # noqa: SLF001
            key = {"service": "orders", "key": "key-1", "fingerprint": "f", "answer": "a"}
            await connection.execute(insert_row(idempotency_keys).values(**key, created_at=Now()))

            with pytest.raises(StoreBusyError):
                await stores.intake.insert([a_submission()], a_key())

        assert await stores.intake.insert([a_submission()], a_key()) == Applied()


@pytest.fixture(params=["postgres", "pooled"])
def server_url(request: pytest.FixtureRequest) -> str:
    """The URL of an up-to-date database that has more than one writer."""
    return str(request.getfixturevalue(f"{request.param}_store_url"))


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_nobody_waits_for_a_key_that_is_not_his(server_url: str, end: str) -> None:
    async with open_stores(server_url) as stores, open_stores(server_url) as other:
        insert = stores.intake.insert
        async with other.database._writer.connect() as connection:  # noqa: SLF001
            held = asdict(a_key("held", answer="then"))
            await connection.execute(insert_row(idempotency_keys).values(**held, created_at=Now()))
            waiting = [asyncio.create_task(insert([a_submission()], a_key("held"))) for _ in "12"]
            others = [
                insert([a_submission()], a_key(f"key-{number}") if number % 2 else None)
                for number in range(20)
            ]

            assert await asyncio.gather(*others) == [Applied()] * 20
            # While these wait, others come and go.
            assert await insert([a_submission()], a_key("later")) == Applied()
            assert not any(each.done() for each in waiting)
            await getattr(connection, end)()

        results = await asyncio.gather(*waiting)

        first = Remembered("then") if end == "commit" else Applied()
        again = Remembered("then") if end == "commit" else Remembered("a1")
        assert results == [first, again]


async def test_keys_are_forgotten_after_a_day(stores: Stores) -> None:
    await stores.intake.insert([a_submission()], a_key("old"))
    await stores.pass_time(3_600)
    await stores.intake.insert([a_submission()], a_key("young"))
    await stores.pass_time(82_900)

    assert await stores.once.purge() == 1

    assert await stores.intake.insert([a_submission()], a_key("old")) == Applied()
    assert await stores.intake.insert([a_submission()], a_key("young")) == Remembered("a1")


async def test_a_thousand_notifications_go_in_one_request(stores: Stores) -> None:
    many: list[Submission] = [a_submission() for _ in range(1_000)]

    assert await stores.intake.insert(many, a_key()) == Applied()

    assert await count(stores) == 1_000


async def test_an_answer_is_remembered_for_its_request_alone(stores: Stores) -> None:
    key = Idempotency(service="orders", key="k", fingerprint="f", answer="accepted")
    await stores.intake.insert([a_submission()], key)
    remembered = stores.once.remembered

    assert await remembered(service="orders", key="k", fingerprint="f") == Remembered("accepted")
    assert await remembered(service="orders", key="k", fingerprint="g") == KeyReused()
    assert await remembered(service="payments", key="k", fingerprint="f") is None
    assert await remembered(service="orders", key="other", fingerprint="f") is None
