"""Whether a session of PostgreSQL is still as it was left."""

import time
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine

_TRUSTED_S = 1.0

# It takes no writes, is in another transaction, or has lost its statements.
_SPOILT = ("25", "26")


def is_trusted(used_s: float) -> bool:
    """Whether a connection that was last used then is taken for good without being asked."""
    return time.monotonic() - used_s < _TRUSTED_S


def is_spoilt(sqlstate: str | None) -> bool:
    """Whether a session that answers so would fail again."""
    return sqlstate is not None and sqlstate.startswith(_SPOILT)


def leave_spoilt_sessions(engine: AsyncEngine) -> None:
    """Give up those that would fail again: an address may lead to another server by now."""

    @event.listens_for(engine.sync_engine, "handle_error")
    def judge(context: Any) -> None:
        sqlstate = getattr(context.original_exception, "sqlstate", None)
        if is_spoilt(sqlstate):
            context.is_disconnect = True


def ping_idle_connections(engine: AsyncEngine) -> None:
    """Replace what a restart of the server, or the network, ended unseen.

    As SQLAlchemy's own pre-ping, but not for a connection that was used a moment ago: on a busy
    one each ping costs as much as the work. One to a standby, which says so by itself, is replaced
    too: those who only read would never notice.
    """

    @event.listens_for(engine.sync_engine, "checkin")
    def remember(_connection: object, record: Any) -> None:
        record.info["used_s"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def ping(connection: Any, record: Any, _proxy: object) -> None:
        # A new connection was not used yet.
        used_s = record.info.get("used_s", time.monotonic())
        driver = connection.driver_connection
        if is_trusted(used_s) and not driver.is_closed():
            return
        if getattr(driver.get_settings(), "in_hot_standby", "off") == "on":
            raise InvalidatePoolError
        try:
            engine.dialect.do_ping(connection)
        except connection.dbapi.Error:
            raise InvalidatePoolError from None
