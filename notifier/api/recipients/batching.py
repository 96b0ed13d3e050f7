"""People many at once: an answer for each, and a bad one spoils no other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from starlette.responses import Response

from notifier.api.kit.answers import ok
from notifier.api.kit.body import Path
from notifier.api.kit.calls import Call
from notifier.api.kit.checking import read_model, read_strictly
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import InvalidField, invalid
from notifier.api.kit.views import InvalidFieldView
from notifier.api.recipients.shapes import (
    PREFIX,
    TAG,
    NamedRecipientRequest,
    PutRecipientsView,
    PutRecipientView,
    RecipientQuery,
    RecipientsFrame,
    RecipientsRequest,
)
from notifier.audience.person import PersonStore, Profile, Written
from notifier.notification.model import JsonValue

Reading: TypeAlias = Profile | list[InvalidField]

_MAX_VALUES = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientBatches:
    """Takes up to a thousand profiles at once."""

    people: PersonStore
    max_batch_bytes: int

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoint."""
        return (self._putting(),)

    async def put_batch(self, call: Call[RecipientsFrame, RecipientQuery]) -> Response:
        """Put what is good of them."""
        service = call.acting_for(call.query.service)
        values = call.body.recipients
        readings = [
            read_profile(value, path=("recipients", index)) for index, value in enumerate(values)
        ]
        profiles = [each for each in readings if isinstance(each, Profile)]
        if not profiles:
            raise invalid([error for each in readings if isinstance(each, list) for error in each])
        written = iter(await self.people.put_all(service, profiles))
        items = list(_items(values, readings, written))
        count = [item.status for item in items].count
        view = PutRecipientsView(
            created=count("created"),
            updated=count("updated"),
            unchanged=count("unchanged"),
            rejected=count("rejected"),
            items=items,
        )
        return ok(view)

    def _putting(self) -> Operation:
        return Operation(
            id="putRecipients",
            method="POST",
            path=f"{PREFIX}/batch",
            summary="Put up to 1,000 people",
            description="With an answer per item, in order; a bad item spoils no other, and the "
            "good ones are all written or none. Each is put as by PUT; of one that is there twice "
            "the last one holds.",
            tag=TAG,
            serve=self.put_batch,
            scope="recipients",
            query=RecipientQuery,
            body=RecipientsRequest,
            check=partial(read_model, RecipientsFrame),
            max_values=_MAX_VALUES,
            max_bytes=self.max_batch_bytes,
            replies={200: Reply(description="All or some are there", model=PutRecipientsView)},
        )


def read_profile(value: JsonValue, *, path: Path = ()) -> Reading:
    """Check what stands at `path` of a body; returns all that is wrong with it otherwise."""
    read = read_strictly(NamedRecipientRequest, value, path=path)
    return read if isinstance(read, list) else read.named_profile()


def _items(
    values: Sequence[JsonValue], readings: Sequence[Reading], written: Iterator[Written]
) -> Iterator[PutRecipientView]:
    for value, reading in zip(values, readings, strict=True):
        if isinstance(reading, Profile):
            status = next(written).value
            yield PutRecipientView(user_id=reading.user_id, status=status, errors=[])
        else:
            yield _rejected(value, reading)


def _rejected(value: JsonValue, wrong: list[InvalidField]) -> PutRecipientView:
    named = value.get("user_id") if isinstance(value, dict) else None
    return PutRecipientView(
        user_id=named if isinstance(named, str) else None,
        status="rejected",
        errors=[InvalidFieldView(pointer=each.where, detail=each.detail) for each in wrong],
    )
