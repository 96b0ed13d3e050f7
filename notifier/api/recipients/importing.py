"""People from a file: taken in pieces while it arrives, a thousand records a transaction."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final

from pydantic import BeforeValidator, Field
from starlette.responses import Response

from notifier.api.kit.answers import ok
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import (
    BODY_TIMEOUT,
    BODY_TOO_LARGE,
    INVALID,
    UNAVAILABLE,
    ProblemError,
)
from notifier.api.kit.querying import parse_seq
from notifier.api.kit.uploads import Upload, UploadRules
from notifier.api.kit.views import View
from notifier.api.recipients.records import (
    CSV,
    NDJSON,
    Record,
    RecordReader,
    UnreadableFileError,
)
from notifier.api.recipients.shapes import PREFIX, TAG, RecipientQuery
from notifier.audience.person import MAX_PEOPLE, PersonStore, Profile
from notifier.errors import StoreUnavailableError

_PIECE_BYTES: Final = 65_536
_RECORDS_PER_TURN: Final = 50
_MOST_BYTES_AT_ONCE: Final = 2_000_000
_MAX_FINDINGS: Final = 1_000
_MAX_BYTES: Final = 1_000_000_000
_TIMEOUT_S: Final = 900.0


class ImportQuery(RecipientQuery):
    """Where to go on."""

    from_line: Annotated[
        int,
        BeforeValidator(parse_seq),
        Field(ge=1, description="What begins before this line is passed over; the first is 1."),
    ] = 1


class FindingView(View):
    """Something that is wrong with a record."""

    line: Annotated[int, Field(description="Where the record begins, from 1.")]
    pointer: Annotated[str, Field(description="JSON pointer into the record.")]
    detail: str


class ImportView(View):
    """What became of a file."""

    lines_done: Annotated[int, Field(description="Up to this line all is done.")]
    created: int
    updated: int
    unchanged: int
    rejected: int
    findings: Annotated[
        list[FindingView], Field(description=f"The first {_MAX_FINDINGS}, by line.")
    ]


@dataclass(slots=True)
class _Progress:
    """How far an import is."""

    lines_done: int = 0
    count: Counter[str] = field(default_factory=Counter)
    findings: list[FindingView] = field(default_factory=list)

    def reject(self, record: Record) -> None:
        if isinstance(record.reading, Profile):
            return
        self.count["rejected"] += 1
        for each in record.reading[: _MAX_FINDINGS - len(self.findings)]:
            self.findings.append(
                FindingView(line=record.line, pointer=each.where, detail=each.detail)
            )

    def view(self) -> ImportView:
        return ImportView(
            lines_done=self.lines_done,
            created=self.count["created"],
            updated=self.count["updated"],
            unchanged=self.count["unchanged"],
            rejected=self.count["rejected"],
            findings=self.findings,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientImports:
    """Takes files of people."""

    people: PersonStore

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoint."""
        return (self._importing(),)

    async def import_file(self, call: Call[Upload, ImportQuery]) -> Response:
        """Put all people of a file of whom nothing is wrong."""
        service = call.acting_for(call.query.service)
        progress = _Progress(lines_done=call.query.from_line - 1)
        try:
            async for records in _portions(call.body, call.query.from_line):
                await self._put(service, records, progress)
        except UnreadableFileError as error:
            raise _stopped(ProblemError(INVALID, f"{error}."), progress) from error
        except StoreUnavailableError as error:
            problem = ProblemError(UNAVAILABLE, f"{error}.", headers={"Retry-After": "1"})
            raise _stopped(problem, progress) from error
        except ProblemError as error:
            raise _stopped(error, progress) from error
        return ok(progress.view())

    async def _put(self, service: str, records: Sequence[Record], progress: _Progress) -> None:
        profiles = [each.reading for each in records if isinstance(each.reading, Profile)]
        if profiles:
            progress.count.update(await self.people.put_all(service, profiles))
        for each in records:
            progress.reject(each)
        progress.lines_done = records[-1].line

    def _importing(self) -> Operation:
        return Operation(
            id="importRecipients",
            method="POST",
            path=f"{PREFIX}/import",
            summary="Put all people of a file",
            description="NDJSON, or CSV whose first line names the columns. Each is put as by PUT, "
            "a thousand at a time as they arrive. What is wrong is told by line, and spoils no "
            "other. After an answer that never came, send the file again: whoever is there is "
            "`unchanged`. After one that says how many lines are done, go on with `from_line`.",
            tag=TAG,
            serve=self.import_file,
            scope="recipients",
            query=ImportQuery,
            upload=UploadRules(types=(NDJSON, CSV), max_bytes=_MAX_BYTES, timeout_s=_TIMEOUT_S),
            replies={200: Reply(description="It was read to its end", model=ImportView)},
            problems=(BODY_TIMEOUT, BODY_TOO_LARGE),
        )


async def _portions(upload: Upload, from_line: int) -> AsyncIterator[Sequence[Record]]:
    """Yield records in portions, of which each is written at once."""
    portion: list[Record] = []
    size = 0
    async for record in _records(upload):
        if record.line < from_line:
            continue
        if portion and (len(portion) == MAX_PEOPLE or size + record.size > _MOST_BYTES_AT_ONCE):
            yield portion
            portion, size = [], 0
        portion.append(record)
        size += record.size
    if portion:
        yield portion


async def _records(upload: Upload) -> AsyncIterator[Record]:
    """Yield records as they arrive; other tasks get their turn in between."""
    reader = RecordReader(upload.type)
    async for piece in upload.chunks(_PIECE_BYTES):
        for index, record in enumerate(reader.feed(piece), 1):
            yield record
            if index % _RECORDS_PER_TURN == 0:
                await asyncio.sleep(0)
    for record in reader.end():
        yield record


def _stopped(error: ProblemError, progress: _Progress) -> ProblemError:
    """Return the problem that ended an import, and how to go on."""
    done = progress.lines_done
    further = f" All up to line {done} is done: go on with ?from_line={done + 1}." if done else ""
    return ProblemError(
        error.problem,
        f"{error.detail}{further}",
        headers=error.more.headers,
        members={"lines_done": done},
    )
