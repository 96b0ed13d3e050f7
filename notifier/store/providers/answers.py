"""What providers answered lately, from timelines."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Integer, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.outcomes import PAUSED
from notifier.notification.transitions import CLAIM, FAIL, RETRY, SNOOZE, SUCCEED
from notifier.providers.account import LATELY_S, Answered
from notifier.store.kit.elapsed import SecondsBetween
from notifier.store.kit.sql import SecondsFromNow, parameter
from notifier.store.notification.tables import notification_events
from notifier.store.notification.timeline import FAILOVER

_LOOKED_AT: Final = 20_000
_NOT_ASKED: Final = ("barred", PAUSED)
_ENDS: Final = (SUCCEED.name, RETRY.name, FAIL.name, SNOOZE.name, FAILOVER)

_e = notification_events.c
_newest = (
    select(_e.notification_id, _e.attempt, _e.at, _e.event, _e.provider, _e.fault_code)
    .order_by(_e.id.desc())
    .limit(_LOOKED_AT)
    .cte("newest")
)
_end, _claim = _newest.alias("ended"), _newest.alias("claimed")
_is_sent = _end.c.event == SUCCEED.name
_ANSWERED = (
    select(
        _end.c.provider,
        func.sum(case((_is_sent, 1), else_=0)).label("sent"),
        func.sum(case((_is_sent, 0), else_=1)).label("failed"),
        func.avg(SecondsBetween(_claim.c.at, _end.c.at)).label("mean_s"),
    )
    .outerjoin_from(
        _end,
        _claim,
        and_(
            _claim.c.event == CLAIM.name,
            _claim.c.notification_id == _end.c.notification_id,
            _claim.c.attempt == _end.c.attempt,
        ),
    )
    .where(
        _end.c.event.in_(_ENDS),
        _end.c.provider.is_not(None),
        or_(_end.c.fault_code.is_(None), _end.c.fault_code.not_in(_NOT_ASKED)),
        _end.c.at > SecondsFromNow(-parameter("within_s", Integer)),
    )
    .group_by(_end.c.provider)
    .order_by(_end.c.provider)
)


async def answered(connection: AsyncConnection) -> Sequence[Answered]:
    """Count them."""
    return [
        Answered(
            provider=row.provider,
            within_s=within_s,
            sent=int(row.sent),
            failed=int(row.failed),
            mean_s=None if row.mean_s is None else float(row.mean_s),
        )
        for within_s in LATELY_S
        for row in await connection.execute(_ANSWERED, {"within_s": within_s})
    ]
