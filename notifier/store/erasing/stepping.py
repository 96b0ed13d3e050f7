"""Erasing people: wherever a service's rows name somebody, a keyed hash or nothing stands then.

A step is one small transaction, and finds what is left by what it is about to remove: so a step
that was broken off is simply done again, by whoever comes next. A pass that found nothing, some
time after all that was under way when the erasure began, is the last.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.erasure import SETTLE_S, receipt_of
from notifier.audience.pseudonym import Pseudonyms
from notifier.store.erasing.holders import OTHERS, leave_directory
from notifier.store.erasing.notifications import cancel, is_under_way, rename, stop_others
from notifier.store.erasing.rows import subject_text, to_erasure, to_subject
from notifier.store.erasing.tables import erasures
from notifier.store.erasing.work import Found, Holder, Work
from notifier.store.kit.database import Database
from notifier.store.kit.sql import Now, SecondsFromNow

_AT_ONCE: Final = 100
_LOOK_AGAIN_S = 2.0

_e = erasures.c
_UP = (
    select(erasures)
    .where(_e.finished_at.is_(None), _e.look_at <= Now())
    .order_by(_e.look_at)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_HOLDERS: Sequence[Holder] = (leave_directory, cancel, rename, *OTHERS, stop_others)


class SqlErasing:
    """`Erasing` over SQL."""

    def __init__(
        self, database: Database, pseudonyms: Pseudonyms, *, at_once: int = _AT_ONCE
    ) -> None:
        """It lets go `at_once` rows in a transaction, at most."""
        self._database = database
        self._pseudonyms = pseudonyms
        self._at_once = at_once

    async def step(self) -> bool:
        return await self._database.write(self._step)

    async def _step(self, connection: AsyncConnection) -> bool:
        row = (await connection.execute(_UP)).one_or_none()
        if row is None:
            return False
        work = Work(
            row.service,
            to_subject(row.subject),
            self._pseudonyms,
            self._at_once,
            row.forget_suppression,
        )
        for holder in _HOLDERS:
            found = await holder(connection, work)
            if found.counts:
                await _record(connection, row, work, found)
                return True
        await _end_pass(connection, row, work)
        return True


async def _record(connection: AsyncConnection, row: Row[Any], work: Work, found: Found) -> None:
    """Keep what was done, with it."""
    counts: dict[str, int] = json.loads(row.counts)
    for name, count in found.counts.items():
        counts[name] = counts.get(name, 0) + count
    subject = work.subject.known_as(found.user_ids, found.addresses)
    values = {
        "counts": json.dumps(counts),
        "subject": subject_text(subject),
        "is_settled": False,
        "look_at": Now(),
    }
    await connection.execute(update(erasures).where(_e.id == row.id).values(values))


async def _end_pass(connection: AsyncConnection, row: Row[Any], work: Work) -> None:
    """Come back later, or be done: nothing was found this time."""
    if await is_under_way(connection, work):
        values: dict[str, object] = {"look_at": SecondsFromNow(literal(_LOOK_AGAIN_S))}
    elif not row.is_settled:
        values = {"is_settled": True, "look_at": SecondsFromNow(literal(SETTLE_S))}
    else:
        now = (await connection.execute(select(Now()))).scalar_one()
        receipt = work.pseudonyms.sealed(receipt_of(to_erasure(row), finished_at=now))
        values = {"finished_at": now, "receipt": json.dumps(receipt), "subject": None}
    await connection.execute(update(erasures).where(_e.id == row.id).values(values))
