import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    CheckConstraint,
    ClauseElement,
    Connection,
    Select,
    TextClause,
    bindparam,
    insert,
    inspect,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert as upsert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.compiler import SQLCompiler

from notifier.errors import SchemaError, SettingsError, StoreUnavailableError
from notifier.notification.model import Channel, Status
from notifier.notification.outcomes import SuppressionReason
from notifier.store import migrations
from notifier.store.inbox import arrivals, marking
from notifier.store.kit import idempotency
from notifier.store.kit.opening import open_database
from notifier.store.kit.sql import Now
from notifier.store.kit.statements import Single
from notifier.store.kit.tables import metadata
from notifier.store.notification import (
    attempts,
    dead_letters,
    due,
    feed,
    finishing,
    inserting,
    publications,
    snoozes,
    suppressing,
    timeline,
    upkeep,
)
from notifier.store.notification.tables import notifications, suppressions
from notifier.store.providers import accounts, pacing
from notifier.store.receipts import applying
from notifier.store.upgrading import upgrade
from tests.contract.store.stores import Stores, a_submission, open_stores
from tests.patience import PATIENT
from tests.servers.processes import free_port


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    return str(request.getfixturevalue("postgres_url"))


# An index over an expression is not compared on SQLite.
@pytest.mark.filterwarnings("ignore:.*expression-based index")
async def test_the_revisions_make_exactly_the_tables_of_the_code(stores: Stores) -> None:
    def differences(connection: Connection) -> list[object]:
        def is_made_here(made: object, *_more: object) -> bool:
            only = getattr(made, "info", {}).get("only")
            return only is None or only == connection.dialect.name

        context = MigrationContext.configure(connection, opts={"include_object": is_made_here})
        return list(compare_metadata(context, metadata))

    async with stores.database._writer.connect() as connection:  # noqa: SLF001
        assert await connection.run_sync(differences) == []


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def test_the_code_knows_all_revisions() -> None:
    revisions = [each.revision for each in ScriptDirectory.from_config(_alembic()).walk_revisions()]

    assert tuple(reversed(revisions)) == migrations.REVISIONS


async def test_upgrades_at_once_and_again_are_safe(empty_url: str) -> None:
    await asyncio.gather(*(upgrade(empty_url) for _ in range(3)))
    await upgrade(empty_url)

    async with open_stores(empty_url) as stores:
        assert await stores.queries.schema_problem() is None
        await stores.accept()


async def test_what_was_suppressed_before_addresses_were_compared_without_case_still_is(
    empty_url: str,
) -> None:
    names = ("service", "channel", "recipient", "reason", "created_at")
    before: Select[*tuple[Any, ...]] = select(
        literal("orders"), literal("email"), bindparam("recipient"), literal("manual"), Now()
    )
    put = insert(suppressions).from_select(names, before)
    old = ("Anna@example.com", "ПЁТР@пример.рф", "Пётр@пример.рф", "ÅSA@example.com")
    await _upgrade_to(empty_url, "0002_add_provider_tables")
    async with open_database(empty_url) as database, database._writer.begin() as connection:  # noqa: SLF001
        for recipient in old:
            await connection.execute(put, {"recipient": recipient})
    await upgrade(empty_url)

    async with open_stores(empty_url) as stores:
        sent = [
            await stores.accept(a_submission(recipient=each))
            for each in ("anna@example.com", "пётр@пример.рф", "åsa@example.com", "eva@example.com")
        ]
        statuses = [await stores.status(each.id) for each in sent]
        listed = await stores.suppressions.list(service=None, channel=None, limit=9, after=None)

    assert statuses == [*[Status.SUPPRESSED] * 3, Status.PENDING]
    assert {each.recipient for each in listed} in ({*old} - {old[1]}, {*old} - {old[2]})


async def test_suppressions_are_kept_as_they_get_a_category_and_older_code_goes_on(
    empty_url: str,
) -> None:
    _s = suppressions.c
    old = [_s[name] for name in ("service", "channel", "recipient", "reason", "notification_id")]
    old += [_s.created_at, _s.recipient_as_written]
    at = datetime(2026, 5, 1, tzinfo=UTC)
    kept = ["orders", "email", "ada@example.com", "hard_bounce", uuid4(), at, "Ada@example.com"]
    other = ["orders", "sms", "+491701234567", "manual", None, at, None]

    async def put(*values: object) -> None:
        # What code of before the revision says: no category, and no key that it names.
        row = {column.name: value for column, value in zip(old, values, strict=True)}
        said = upsert(suppressions).values(row).on_conflict_do_nothing().inline()
        async with open_database(empty_url) as database, database._writer.begin() as connection:  # noqa: SLF001
            await connection.execute(said)

    async def there() -> list[tuple[object, ...]]:
        async def work(connection: AsyncConnection) -> list[tuple[object, ...]]:
            rows = await connection.execute(select(*old).order_by(_s.recipient))
            return [tuple(row) for row in rows]

        async with open_database(empty_url) as database:
            return await database.read(work)

    await _upgrade_to(empty_url, "0023_let_go_what_is_old")
    await put(*kept)
    await _upgrade_to(empty_url, "0024_suppress_by_category")
    assert await there() == [tuple(kept)]
    await put(*kept[:3], "spam_report", *kept[4:])
    await put(*other)
    assert await there() == [tuple(other), tuple(kept)]

    await upgrade(empty_url)
    async with open_stores(empty_url) as stores:
        put_on_list = partial(
            stores.suppressions.add,
            service="orders",
            channel=Channel.EMAIL,
            recipient="ada@example.com",
        )
        await put_on_list(reason=SuppressionReason.UNSUBSCRIBED, category="news")
        await put_on_list(reason=SuppressionReason.MANUAL)
        listed = await stores.suppressions.list(service=None, channel=None, limit=9, after=None)

    assert [(each.recipient, each.category, each.reason) for each in listed] == [
        ("+491701234567", None, SuppressionReason.MANUAL),
        ("Ada@example.com", None, SuppressionReason.HARD_BOUNCE),
        ("ada@example.com", "news", SuppressionReason.UNSUBSCRIBED),
    ]


async def test_timelines_keep_their_order_where_their_table_is_made_anew(empty_url: str) -> None:
    put = text(
        "INSERT INTO notification_events (id, notification_id, service, at, event, attempt)"
        " VALUES (:id, '018f0000000070008000000000000001', 'orders', '2026-01-01T00:00:00.000Z',"
        " 'accept', 0)"
    )
    remove = text("DELETE FROM notification_events WHERE id = 7")
    await _upgrade_to(empty_url, "0007_look_up_as_compared")
    async with open_database(empty_url) as database, database._writer.begin() as connection:  # noqa: SLF001
        for id in (3, 5, 7):
            await connection.execute(put, {"id": id})
        if database.writes_in_one:
            await connection.execute(text("SELECT setval('notification_events_id_seq', 7)"))
    await upgrade(empty_url)

    async with open_stores(empty_url) as stores:
        async with stores.database._writer.begin() as connection:  # noqa: SLF001
            await connection.execute(remove)
        later = await stores.accept()
        page = await stores.feed.after(3, 5)

    assert [each.position for each in page.events] == [5, 8]
    assert page.events[-1].notification_id == later.id
    assert page.events[0].channel is None


async def test_an_upgrade_under_load_holds_up_nobody_for_long(postgres_url: str) -> None:
    await _upgrade_to(postgres_url, "0001_create_tables")
    async with open_database(postgres_url) as database:
        reader = await database._writer.connect()  # noqa: SLF001
        await reader.execute(text("SELECT * FROM notifications"))
        upgrading = asyncio.create_task(upgrade(postgres_url))
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND mode LIKE 'Access%'")
        while not await database.read(partial(_scalar, statement=waiting)):
            pass

        # It waits for the reader, and this one for it.
        await database.write(partial(_scalar, statement=text("SELECT count(*) FROM notifications")))

        assert not upgrading.done()
        await reader.close()
        await upgrading
    async with open_stores(postgres_url) as stores:
        assert await stores.queries.schema_problem() is None


async def test_an_index_whose_building_was_broken_off_is_built_anew(postgres_url: str) -> None:
    await upgrade(postgres_url)
    is_valid = text(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_notifications_turns'::regclass"
    )
    broken = text(
        "UPDATE pg_index SET indisvalid = false"
        " WHERE indexrelid = 'ix_notifications_turns'::regclass RETURNING indisvalid"
    )
    async with open_database(postgres_url) as database:
        assert await database.write(partial(_scalar, statement=broken)) is False

        await asyncio.gather(*(upgrade(postgres_url) for _ in range(2)))

        assert await database.read(partial(_scalar, statement=is_valid)) is True


async def _scalar(connection: AsyncConnection, *, statement: TextClause) -> object:
    return await connection.scalar(statement)


async def _upgrade_to(url: str, revision: str) -> None:
    def run(connection: Connection) -> None:
        config = _alembic()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    async with open_database(url) as database, database._writer.begin() as connection:  # noqa: SLF001
        await connection.run_sync(run)


async def test_each_revision_only_adds_what_older_code_can_leave_out(empty_url: str) -> None:
    found = [(each, await _columns_at(empty_url, each)) for each in migrations.REVISIONS]

    for (_, before), (revision, after) in pairwise(found):
        for table, columns in before.items():
            assert after[table].items() >= columns.items(), revision
            added = [after[table][name] for name in after[table].keys() - columns.keys()]
            assert all(column.can_be_left_out for column in added), revision


@dataclass(frozen=True)
class StoredColumn:
    type: str
    can_be_left_out: bool


async def _columns_at(url: str, revision: str) -> dict[str, dict[str, StoredColumn]]:
    """What columns each table has."""
    await _upgrade_to(url, revision)

    def columns(connection: Connection) -> dict[str, dict[str, StoredColumn]]:
        inspector = inspect(connection)
        return {
            table: {
                column["name"]: StoredColumn(
                    str(column["type"]),
                    can_be_left_out=column["nullable"] or column["default"] is not None,
                )
                for column in columns
            }
            for (_schema, table), columns in inspector.get_multi_columns().items()
        }

    async with open_database(url, PATIENT) as database:
        return await database.read(lambda connection: connection.run_sync(columns))


async def test_a_database_without_tables_says_what_to_run(empty_url: str) -> None:
    async with open_stores(empty_url) as stores:
        problem = await stores.queries.schema_problem()

        assert problem is not None
        assert "notifier db upgrade" in problem
        with pytest.raises(SchemaError, match="notifier db upgrade"):
            await stores.intake.insert([a_submission()])


async def test_an_old_schema_says_what_to_run(empty_url: str) -> None:
    await _upgrade_to(empty_url, migrations.REVISIONS[0])
    async with open_stores(empty_url) as stores:
        problem = await stores.queries.schema_problem()

    assert problem is not None
    assert "notifier db upgrade" in problem
    assert "\n" not in problem


async def test_this_version_starts_and_works_on_a_newer_schema(empty_url: str) -> None:
    await upgrade(empty_url)
    await _name_revision(empty_url, "9999_of_the_future")

    assert await upgrade(empty_url) == "9999_of_the_future"

    async with open_stores(empty_url) as stores:
        assert await stores.queries.schema_problem() is None
        await stores.accept()


async def test_tables_that_are_not_ours_are_left_alone(empty_url: str) -> None:
    await upgrade(empty_url)
    for revision in ("3f2a9c81d0b4", "0002_of_somebody_else", "0001", "", "next"):
        await _name_revision(empty_url, revision)

        with pytest.raises(SchemaError, match="a database of its own"):
            await upgrade(empty_url)

        async with open_stores(empty_url) as stores:
            problem = await stores.queries.schema_problem()
        assert "a database of its own" in str(problem), revision


async def _name_revision(url: str, revision: str) -> None:
    async with open_database(url) as database, database._writer.begin() as connection:  # noqa: SLF001
        rename = text("UPDATE alembic_version SET version_num = :revision")
        await connection.execute(rename, {"revision": revision})


def test_the_table_knows_every_status() -> None:
    checks = [
        str(constraint.sqltext)
        for constraint in metadata.tables["notifications"].constraints
        if isinstance(constraint, CheckConstraint)
    ]

    assert all(f"'{status}'" in checks[0] for status in Status)


async def test_no_statement_of_the_hot_path_reads_a_whole_table(sqlite_store_url: str) -> None:
    statements = [
        (name, statement)
        for module in _HOT
        for name, statement in _statements(module)
        if name not in _SMALL | _POSTGRES_ONLY
    ]
    assert len(statements) > 20

    async def plan(connection: AsyncConnection, statement: ClauseElement) -> list[str]:
        compiled = statement.compile(dialect=connection.dialect)
        assert isinstance(compiled, SQLCompiler)
        parameters = tuple("[]" for _ in compiled.positiontup or ())
        explained = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", parameters)
        return [row.detail for row in explained]

    async with open_stores(sqlite_store_url) as stores:
        for name, statement in statements:
            steps = await stores.database.read(partial(plan, statement=statement))
            assert not [step for step in steps if _reads_all(step)], name


async def test_a_suppression_is_looked_up_by_what_is_compared(stores: Stores) -> None:
    for number in range(100):
        await stores.suppress(a_submission(recipient=f"{number}@example.org"))

    async def analyze(connection: AsyncConnection) -> None:
        await connection.exec_driver_sql("ANALYZE")

    # A prepared plan may be made before the table is analysed, and is kept.
    assert "ix_suppressions_compared_by" in await stores.database.write(_plan_of_a_look)
    await stores.database.write(analyze)
    assert "ix_suppressions_compared_by" in await stores.database.write(_plan_of_a_look)


@pytest.mark.parametrize("few", [0, 1, 2, 5])
@pytest.mark.parametrize("autovacuum", ["VACUUM", "ANALYZE", "VACUUM ANALYZE"])
async def test_a_suppression_is_looked_up_so_where_few_are_known_of(
    postgres_store_url: str, few: int, autovacuum: str
) -> None:
    async with open_stores(postgres_store_url) as stores:
        for number in range(few):
            await stores.suppress(a_submission(recipient=f"{number}@example.org"))

        await stores.maintain(f"{autovacuum} suppressions")

        assert "ix_suppressions_compared_by" in await stores.database.write(_plan_of_a_look)


async def _plan_of_a_look(connection: AsyncConnection) -> str:
    is_postgres = connection.dialect.name == "postgresql"
    explain = "EXPLAIN" if is_postgres else "EXPLAIN QUERY PLAN"
    asked = select(notifications.c.id, suppressing.is_suppressed(notifications.c))
    compiled = asked.compile(dialect=connection.dialect)
    return str((await connection.exec_driver_sql(f"{explain} {compiled}")).all())


_HOT = (
    accounts, applying, arrivals, attempts, dead_letters, due, feed, finishing, idempotency,
    inserting, marking, pacing, publications, snoozes, suppressing, timeline, upkeep,
)  # fmt: skip
_SMALL = {"_STATES"}
# One statement that writes several tables: test_plans looks at it.
_POSTGRES_ONLY = {"REPEATED", "INSERT_NEW"}


def _reads_all(step: str) -> bool:
    if step == "SETUP":  # of a recursion
        return False
    verb, name, *how = step.split()
    return verb == "SCAN" and name in metadata.tables and "INDEX" not in how


def _statements(module: object) -> list[tuple[str, ClauseElement]]:
    constants = [(name, value) for name, value in vars(module).items() if name.isupper()]
    noted = [(name, value) for name, value in constants if isinstance(value, timeline.Noted)]
    alone = [(name, value) for name, value in constants if type(value) is Single]
    return [
        *((name, value.statement) for name, value in alone),
        *((name, value) for name, value in constants if isinstance(value, ClauseElement)),
        *((name, value.change) for name, value in noted),
        *((name, value.note) for name, value in noted),
    ]


@pytest.mark.parametrize(
    "url",
    ["mysql://host/name", "nonsense", "sqlite://", "postgresql://user:secret@host:port/name"],
)
def test_a_url_that_names_no_database_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(SettingsError, match="NOTIFIER_DATABASE_URL") as caught:
        open_database(url)

    assert "secret" not in str(caught.value)


def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    with pytest.raises(SettingsError, match=r"pip install notifier\[postgres\]"):
        asyncio.run(_open_and_close("postgresql://host/name"))


async def _open_and_close(url: str) -> None:
    async with open_database(url):
        pass


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/at/all.db", "postgresql://127.0.0.1:{port}/name"]
)
async def test_upgrading_a_database_that_is_away_says_so(url: str) -> None:
    with pytest.raises(StoreUnavailableError):
        await upgrade(url.format(port=free_port()))
