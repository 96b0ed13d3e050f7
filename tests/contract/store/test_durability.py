"""What waits for the disk: a crash of PostgreSQL must lose nothing that was answered or sent."""

import pytest
from sqlalchemy import ClauseElement, Executable, text

from notifier.notification import SUCCEED
from notifier.store import attempts, intake
from notifier.store.rows import envelope_row, finish_row, joined, submission_row
from tests.contract.store.stores import Stores, a_submission, an_end, envelope_of, open_stores

_WAITS = text("SELECT current_setting('synchronous_commit')")


async def _waits_for_disk(stores: Stores, statement: ClauseElement, **parameters: object) -> bool:
    assert isinstance(statement, Executable)
    async with stores.database._writer.begin() as connection:  # noqa: SLF001
        await connection.execute(statement, parameters)
        return bool(await connection.scalar(_WAITS) == "on")


async def test_what_is_accepted_and_how_an_attempt_ended_wait_for_the_disk(
    postgres_store_url: str,
) -> None:
    async with open_stores(postgres_store_url) as stores:
        accepted = joined([submission_row(a_submission())])
        ended = joined([finish_row(an_end(await stores.claimed(), SUCCEED))])

        insert, finish = intake._INSERT.both, attempts._FINISH.both  # noqa: SLF001
        assert await _waits_for_disk(stores, insert, rows=accepted, grace_s=5)
        assert await _waits_for_disk(stores, finish, rows=ended, misses="[]", grace_s=5)


async def test_what_only_costs_a_second_message_does_not_wait(postgres_store_url: str) -> None:
    async with open_stores(postgres_store_url) as stores:
        rows = joined([envelope_row(envelope_of(await stores.accept()))])
        mark = attempts._MARK_PUBLISHED  # noqa: SLF001

        assert not await _waits_for_disk(stores, mark, rows=rows, lost_after_s=600)


@pytest.mark.parametrize("engine", ["_writer", "_autocommitting"])
async def test_no_session_is_told_not_to_wait(postgres_store_url: str, engine: str) -> None:
    async with (
        open_stores(postgres_store_url) as stores,
        getattr(stores.database, engine).connect() as connection,
    ):
        assert await connection.scalar(_WAITS) == "on"
