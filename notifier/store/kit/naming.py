"""One row, by its id and whose it is."""

from uuid import UUID

from sqlalchemy import ColumnElement, Table, and_, or_

from notifier.store.kit.sql import ID, parameter


def is_named(table: Table) -> ColumnElement[bool]:
    """Return the condition for a row of a table that has `id` and `service`."""
    service = parameter("which_service")
    return and_(
        table.c.id == parameter("which_id", ID), or_(service.is_(None), table.c.service == service)
    )


def named(id: UUID, service: str | None) -> dict[str, object]:
    """Return the parameters of `is_named`; any service's if None."""
    return {"which_id": id, "which_service": service}
