"""Notifications as a table for programs and spreadsheets, a line each."""

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

import orjson

from notifier.notification.model import Notification
from notifier.notification.reading import Page
from notifier.spreadsheet import as_text

AT_ONCE = 500
"""How many a page of an export holds at most."""

PageAfter: TypeAlias = Callable[[UUID | None], Awaitable[Page]]
"""Returns the page of those older than this id; of the newest for None."""
Cell: TypeAlias = "str | int | bool | datetime | Mapping[str, str] | None"


class Form(StrEnum):
    """How an export is written."""

    CSV = "csv"
    NDJSON = "ndjson"

    @property
    def media_type(self) -> str:
        """Its media type."""
        return "text/csv" if self is Form.CSV else "application/x-ndjson"


COLUMNS = (
    "id", "service", "type", "priority", "status", "recipient", "user_id", "category",
    "created_at", "due_at", "sent_at", "finished_at", "attempts", "provider", "provider_id",
    "error_kind", "error_code", "error_message", "outcome_unknown", "rule", "metadata",
)  # fmt: skip


async def exported(page_after: PageAfter, form: Form) -> AsyncIterator[bytes]:
    """Yield all that the pages hold, without content, in parts that are written as lines.

    One page is in memory, and the next is not read before a reader has taken it. What is accepted
    meanwhile is not among them; each is as it stood when its page was read.
    """
    if form is Form.CSV:
        yield _csv_line(COLUMNS)
    write, after, is_over = _WRITERS[form], None, False
    while not is_over:
        page = await page_after(after)
        if page.items:
            yield b"".join(write(row(each)) for each in page.items)
        after = page.goes_on_after
        is_over = after is None


def row(it: Notification) -> Mapping[str, Cell]:
    """Return what an export tells of a notification: never its content."""
    fault, to = it.fault, it.addressee
    return {
        "id": str(it.id),
        "service": it.service,
        "type": it.channel.value,
        "priority": it.lane.value,
        "status": it.status.value,
        "recipient": it.recipient,
        "user_id": to.user_id if to else None,
        "category": to.category if to else None,
        "created_at": it.created_at,
        "due_at": None if it.status.is_final else it.due_at,
        "sent_at": it.sent_at,
        "finished_at": it.finished_at,
        "attempts": it.attempts,
        "provider": it.provider,
        "provider_id": it.provider_id,
        "error_kind": fault.kind if fault else None,
        "error_code": fault.code if fault else None,
        "error_message": fault.message if fault else None,
        "outcome_unknown": it.outcome_unknown,
        "rule": it.origin.rule if it.origin else None,
        "metadata": it.metadata,
    }


def _csv_row(row: Mapping[str, Cell]) -> bytes:
    return _csv_line([as_text(_text(row[name])) for name in COLUMNS])


def _csv_line(cells: Sequence[str]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case datetime():
            return cell.isoformat()
        case str() | int():
            return str(cell)
        case _:
            return orjson.dumps(cell).decode() if cell else ""


def _ndjson_row(row: Mapping[str, Cell]) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)


_WRITERS: Mapping[Form, Callable[[Mapping[str, Cell]], bytes]] = {
    Form.CSV: _csv_row,
    Form.NDJSON: _ndjson_row,
}
