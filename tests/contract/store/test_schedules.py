"""Schedules: whose turn it is, what is recorded at once, and what stops it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.compiler import SQLCompiler
from uuid_utils import compat

from notifier.idempotency import Applied, LostRace, NotFound
from notifier.intake.ports import Submission
from notifier.notification.model import Channel, Lane
from notifier.schedules.due import Full, Line, Settled, Taken, Turn, Woken
from notifier.schedules.schedule import (
    NameTaken,
    Progress,
    Run,
    RunOutcome,
    Schedule,
    StoredSchedule,
    Timing,
    ToRecipient,
    ToTopic,
    ToUser,
)
from notifier.schedules.slot import Cron, Daily, Weekly
from notifier.store.notification.settings import StoreSettings
from notifier.store.schedules import firing
from notifier.store.schedules.keeping import SqlScheduleStore
from notifier.store.schedules.tables import schedules
from tests.contract.store.plans import Case, nodes, rows_read, session_of
from tests.contract.store.stores import Stores, a_submission, open_stores
from tests.people import a_profile

HELD_S = 5.0
LINE = Line("orders", Channel.EMAIL, Lane.BULK)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def a_schedule(**changes: Any) -> Schedule:
    id = compat.uuid7()
    usual: dict[str, Any] = {
        "id": id,
        "service": "orders",
        "name": str(id),
        "timing": Timing(when=Daily(time(9, 30)), zone="Europe/Vienna"),
        "to": ToRecipient("ada@example.org", Channel.EMAIL),
        "template": "reminder",
        "variables": {"number": 10**30, "name": "Ada"},
        "progress": Progress(seen_at=LONG_AGO, next_at=LONG_AGO + DAY),
    }
    return Schedule(**{**usual, **changes})


async def added(stores: Stores, **changes: Any) -> StoredSchedule:
    schedule = a_schedule(**changes)
    assert await stores.schedules.add(schedule) == Applied()
    return await get(stores, schedule)


async def get(stores: Stores, schedule: Schedule) -> StoredSchedule:
    found = await stores.schedules.get(schedule.id, service=schedule.service)
    assert isinstance(found, StoredSchedule)
    return found


async def take(stores: Stores, limit: int = 100, line: Line = LINE) -> Sequence[Turn]:
    taken = await stores.firing.take(line, limit=limit, hold_s=HELD_S, most_waiting=100)
    assert isinstance(taken, Taken)
    return taken.turns


def settled(turn: Turn, next_at: datetime | None = None) -> Settled:
    slot = turn.schedule.progress.next_at
    assert slot is not None
    run = Run(schedule_id=turn.schedule.id, slot=slot, outcome=RunOutcome.FIRED)
    return Settled(
        turn=turn,
        runs=[replace(run, notification_id=run.made_id)],
        progress=Progress(seen_at=slot, next_at=next_at),
        submissions=[a_mail(run)],
    )


def a_mail(run: Run) -> Submission:
    return replace(a_submission(id=run.made_id), lane=Lane.BULK)


async def record(stores: Stores, *all: Settled) -> Sequence[Run]:
    return [*await stores.firing.record(all, now=await stores.now())]


async def test_a_schedule_is_read_as_it_was_added(stores: Stores) -> None:
    starts_at = LONG_AGO + timedelta(milliseconds=7)
    weekly = Weekly(frozenset({"mon", "fri"}), time(23, 59))
    timings = [
        Timing(when=Cron("*/5 9 L * *"), zone="UTC", ends_at=starts_at),
        Timing(when=weekly, zone="recipient", starts_at=starts_at),
        Timing(when=Daily(time(0)), zone="UTC", skip_dates=frozenset({LONG_AGO.date()})),
    ]
    whom = [ToUser("u-7", Channel.SMS), ToTopic("news", Channel.EMAIL), a_schedule().to]
    for timing, to in zip(timings, whom, strict=True):
        schedule = a_schedule(timing=timing, to=to)
        await stores.schedules.add(schedule)

        found = await get(stores, schedule)
        assert replace(schedule) == Schedule(
            **{name: getattr(found, name) for name in Schedule.__slots__}
        )
        assert found.etag == schedule.etag
        assert (found.paused_at, found.created_at) == (None, found.updated_at)


async def test_a_name_is_taken_once_in_a_service(stores: Stores) -> None:
    await added(stores, name="Reminder")
    other = await added(stores, name="Other")

    assert await stores.schedules.add(a_schedule(name="Reminder")) == NameTaken()
    assert await stores.schedules.add(a_schedule(name="Reminder", service="billing")) == Applied()
    renamed = replace(a_schedule(name="Reminder"), id=other.id)
    assert await stores.schedules.change(renamed, etag=None) == NameTaken()


async def test_a_change_counts_for_the_state_that_was_seen(stores: Stores) -> None:
    seen = await added(stores)
    changed = replace(a_schedule(template="other"), id=seen.id)

    found = await stores.schedules.change(changed, etag=seen.etag)
    assert isinstance(found, StoredSchedule)
    assert (found.template, found.etag) == ("other", changed.etag)
    assert await stores.schedules.change(changed, etag=seen.etag) == LostRace(changed.etag)
    stranger = replace(changed, service="billing")
    assert await stores.schedules.change(stranger, etag=None) == NotFound()


async def test_schedules_come_newest_first_a_page_at_a_time(stores: Stores) -> None:
    ids = [(await added(stores)).id for _ in range(3)]
    other = a_schedule(service="billing")
    await stores.schedules.add(other)

    first = await stores.schedules.list(service="orders", limit=2, after=None)
    rest = await stores.schedules.list(service="orders", limit=2, after=first[-1].id)
    assert [each.id for each in (*first, *rest)] == ids[::-1]
    everybodys = await stores.schedules.list(service=None, limit=9, after=None)
    assert [each.id for each in everybodys] == [other.id, *ids[::-1]]


async def test_lines_are_those_that_have_something_due(stores: Stores) -> None:
    await added(stores)
    await added(stores, to=ToUser("u-7", Channel.SMS), lane=Lane.HIGH)
    await added(stores, service="billing")
    tomorrow = Progress(seen_at=LONG_AGO, next_at=await stores.now() + DAY)
    await added(stores, to=ToUser("u-7", Channel.IN_APP), progress=tomorrow)

    assert set(await stores.firing.lines()) == {
        LINE,
        Line("orders", Channel.SMS, Lane.HIGH),
        Line("billing", Channel.EMAIL, Lane.BULK),
    }


async def test_whoever_takes_a_turn_has_it_for_a_while(stores: Stores) -> None:
    later = Progress(seen_at=LONG_AGO, next_at=LONG_AGO + 2 * DAY)
    last = await added(stores, progress=later)
    first = await added(stores)

    [turn] = await take(stores, limit=1)
    [other] = await take(stores)
    assert (turn.schedule.id, other.schedule.id) == (first.id, last.id)
    assert await take(stores) == []
    await stores.pass_time(HELD_S)
    assert {each.schedule.id for each in await take(stores)} == {first.id, last.id}


async def test_a_line_that_is_full_gets_no_more(stores: Stores) -> None:
    await added(stores)
    await stores.intake.insert([replace(a_submission(), lane=Lane.BULK) for _ in range(3)])
    await stores.pass_time(60)

    full = await stores.firing.take(LINE, limit=100, hold_s=HELD_S, most_waiting=3)
    assert full == Full()
    assert len(await take(stores)) == 1


async def test_a_slot_is_recorded_with_what_was_made_of_it_and_what_comes_next(
    stores: Stores,
) -> None:
    schedule = await added(stores)
    [turn] = await take(stores)
    told = settled(turn, next_at=LONG_AGO + 2 * DAY)

    [run] = await record(stores, told)
    assert (run.schedule_id, run.notification_id) == (schedule.id, told.submissions[0].id)
    assert await stores.status(told.submissions[0].id) == "pending"
    [stored] = await stores.schedules.runs(schedule.id, limit=9, after=None)
    assert (stored.slot, stored.outcome) == (LONG_AGO + DAY, RunOutcome.FIRED)
    assert (await get(stores, schedule)).progress == told.progress
    [again] = await take(stores)
    assert again.schedule.progress.next_at == LONG_AGO + 2 * DAY


async def test_whoever_comes_late_with_a_turn_changes_nothing(stores: Stores) -> None:
    await added(stores)
    [late] = await take(stores)
    await stores.pass_time(HELD_S)
    [turn] = await take(stores)

    assert await record(stores, settled(late, next_at=LONG_AGO)) == []
    assert len(await record(stores, settled(turn))) == 1
    assert await record(stores, settled(turn)) == []
    assert (await stores.schedules.tallies())[RunOutcome.FIRED].runs == 1
    assert await take(stores) == []


async def test_a_slot_that_was_recorded_is_not_made_again(stores: Stores) -> None:
    schedule = await added(stores)
    [turn] = await take(stores)
    told = settled(turn, next_at=LONG_AGO + DAY)
    await record(stores, told)
    [again] = await take(stores)

    assert await record(stores, settled(again)) == []
    assert len(await stores.schedules.runs(schedule.id, limit=9, after=None)) == 1


async def test_what_is_paused_changed_or_removed_meanwhile_does_not_fire(stores: Stores) -> None:
    paused, changed, removed = [await added(stores) for _ in range(3)]
    turns = await take(stores)
    await stores.schedules.pause(paused.id, service="orders")
    await stores.schedules.change(replace(a_schedule(), id=changed.id), etag=None)
    assert await stores.schedules.remove(removed.id, service="orders") is None

    assert await record(stores, *map(settled, turns)) == []
    [left] = await take(stores)
    assert left.schedule.id == changed.id
    assert await stores.schedules.remove(removed.id, service="orders") == NotFound()


async def test_what_was_paused_goes_on_from_where_it_is_told(stores: Stores) -> None:
    schedule = await added(stores)
    paused = await stores.schedules.pause(schedule.id, service="orders")
    assert isinstance(paused, StoredSchedule)
    assert paused.paused_at is not None
    changed = await stores.schedules.change(paused, etag=None)
    assert isinstance(changed, StoredSchedule)
    assert await take(stores) == []

    progress = Progress(seen_at=LONG_AGO + 3 * DAY, next_at=LONG_AGO + 4 * DAY)
    resumed = await stores.schedules.resume(changed, progress)
    assert isinstance(resumed, StoredSchedule)
    assert (resumed.paused_at, resumed.progress) == (None, progress)
    again = replace(progress, next_at=None)
    assert await stores.schedules.resume(changed, again) == resumed
    assert len(await take(stores)) == 1


async def test_a_run_by_hand_is_recorded_with_what_it_made(stores: Stores) -> None:
    schedule = await added(stores)
    run = Run(schedule_id=schedule.id, slot=LONG_AGO, outcome=RunOutcome.FIRED)
    made = a_mail(run)

    for _ in range(2):
        assert await stores.firing.record_manual(run, made) == Applied()
    assert await stores.status(made.id) == "pending"
    assert await stores.events(made.id) == ["accept"]


async def test_those_are_looked_at_whose_people_have_other_clocks_now(stores: Stores) -> None:
    profiles = [a_profile("u-1"), a_profile("u-2", time_zone="Asia/Tokyo"), a_profile("u-3")]
    await stores.people.put_all("orders", profiles)
    tomorrow = await stores.now() + DAY
    there = Progress(seen_at=LONG_AGO, next_at=tomorrow, clocks="Europe/Vienna")
    by_recipient = Timing(when=Daily(time(9, 30)), zone="recipient")
    moved: dict[str, Any] = {}
    for each in ("u-1", "u-2", "nobody"):
        to = ToUser(each, Channel.EMAIL)
        moved[each] = await added(stores, to=to, timing=by_recipient, progress=there)
    fixed = replace(there, clocks=None)
    await added(stores, to=ToUser("u-2", Channel.EMAIL), progress=fixed)

    first = await stores.firing.wake(None, limit=2)
    assert first == Woken(1, moved["u-2"].id)
    assert await stores.firing.wake(first.place, limit=2) == Woken(1, None)
    looked_at = {each.schedule.id for each in await take(stores)}
    assert looked_at == {moved["u-2"].id, moved["nobody"].id}


async def test_runs_are_forgotten_after_ninety_days(stores: Stores) -> None:
    schedule = await added(stores)
    [turn] = await take(stores)
    await record(stores, settled(turn))

    await stores.pass_time(89 * 86_400)
    assert await stores.schedules.purge() == 0
    await stores.pass_time(2 * 86_400)
    assert await stores.schedules.purge() == 1
    assert await stores.schedules.runs(schedule.id, limit=9, after=None) == []


async def test_runs_are_kept_for_as_long_as_is_asked_for(stores: Stores) -> None:
    await added(stores)
    [turn] = await take(stores)
    await record(stores, settled(turn))
    brief = SqlScheduleStore(stores.database, StoreSettings(schedule_runs_kept_days=3))

    await stores.pass_time(2 * 86_400)
    assert await brief.purge() == 0
    await stores.pass_time(2 * 86_400)
    assert await brief.purge() == 1


LATER = 2_000
"""Schedules that are not due."""


async def test_the_due_check_reads_what_is_due_alone(postgres_store_url: str) -> None:
    asked = {"of_service": "orders", "of_channel": "email", "of_lane": "bulk", "limit": 100}
    async with open_stores(postgres_store_url) as stores, session_of(stores) as session:
        await added(stores)
        times: dict[str, object] = {"as_of": await stores.now(), "until": await stores.now()}
        cases = {
            "take": Case(firing._TAKE, {**asked, **times}),  # noqa: SLF001
            "lines": Case(firing._LINES, times),  # noqa: SLF001
        }
        # Plans are kept from when the table was small.
        await stores.maintain("ANALYZE schedules")
        await session.execute("SET plan_cache_mode = force_generic_plan")
        for name, case in cases.items():
            await session.execute(f"PREPARE {name}_ AS {case.named()[0]}")
            await session.execute(f"EXPLAIN EXECUTE {name}_ {case.named()[1]}")
        await keep_for_later(stores)

        for name, case in cases.items():
            explained = await session.fetchval(
                f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE {name}_ {case.named()[1]}"
            )
            read = max(map(rows_read, nodes(explained[0]["Plan"])))
            assert read < LATER / 10, f"{name}: {explained}"
            await session.execute(f"DEALLOCATE {name}_")


async def keep_for_later(stores: Stores) -> None:
    names = [each.name for each in schedules.c if each.name not in ("id", "name", "look_at")]
    copied = ", ".join(names)
    statement = (
        f"INSERT INTO schedules (id, name, look_at, {copied})"  # noqa: S608  names of ours
        f" SELECT gen_random_uuid(), number, now() + interval '1 day', {copied}"
        f" FROM schedules, generate_series(1, {LATER}) AS number"
    )

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(text(statement))

    await stores.database.write(work)


async def test_sqlite_finds_what_is_due_in_its_index(sqlite_store_url: str) -> None:
    async with open_stores(sqlite_store_url) as stores:

        async def plans(connection: AsyncConnection) -> list[str]:
            found = []
            for each in (firing._TAKE, firing._LINES):  # noqa: SLF001
                compiled = each.compile(dialect=connection.dialect)
                assert isinstance(compiled, SQLCompiler)
                values = tuple("[]" for _ in compiled.positiontup or ())
                told = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values)
                found.append("\n".join(row.detail for row in told))
            return found

        take, lines = await stores.database.read(plans)
    due = "ix_schedules_due (service=? AND channel=? AND lane=? AND look_at>? AND look_at<?)"
    assert f"SEARCH schedules USING INDEX {due}" in take
    assert lines.count(due) == len(Channel) * len(Lane)
    assert "SCAN schedules" not in take + lines
