"""A line: what of a service's waits for one queue."""

from collections.abc import Mapping

from sqlalchemy import Integer, func, select

from notifier.notification.model import Status
from notifier.store.kit.sql import Now, literal_text, parameter
from notifier.store.notification.tables import notifications as n

_line = (
    select(n.c.id)
    .where(
        n.c.status == literal_text(Status.PENDING),
        n.c.published_at.is_(None),
        n.c.channel == parameter("of_channel"),
        n.c.lane == parameter("of_lane"),
        n.c.service == parameter("of_service"),
        n.c.relay_at <= Now(),
    )
    .limit(parameter("most", Integer))
    .subquery()
)
LINE = select(func.count()).select_from(_line)
"""How many are in it, counted up to `most`."""


def of_line(service: str, channel: str, lane: str) -> Mapping[str, str]:
    """Return the parameters of `LINE` that name one."""
    return {"of_service": service, "of_channel": channel, "of_lane": lane}
