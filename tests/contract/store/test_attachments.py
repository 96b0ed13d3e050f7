"""Attachments: kept while something refers to them, and gone once nothing does."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from notifier.content.attachment import (
    CHUNK_BYTES,
    Attachment,
    AttachmentLimits,
    InUse,
    TooMuchUnused,
)
from notifier.content.files import KINDS
from notifier.content.uploading import Misfit, Received
from notifier.idempotency import Applied, Idempotency, NotFound, Remembered
from notifier.notification.transitions import SUCCEED
from notifier.store.notification.attaching import Use, note_uses
from tests.contract.store.stores import Stores, a_submission

LIMITS = AttachmentLimits()
PDF = KINDS["application/pdf"]
HOUR_S = 3_600
DAY_S = 24 * HOUR_S


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), CHUNK_BYTES):
        yield content[start : start + CHUNK_BYTES]


async def begun(stores: Stores, service: str = "orders") -> UUID:
    id = uuid4()
    refused = await stores.attachments.begin(
        id=id, service=service, name="a.pdf", type="application/pdf", limits=LIMITS
    )
    assert refused is None
    return id


async def uploaded(stores: Stores, content: bytes = b"%PDF-1", service: str = "orders") -> UUID:
    id = await begun(stores, service)
    received = await stores.filing.receive(id, PDF, pieces(content))
    assert isinstance(received, Received)
    done = await stores.attachments.complete(
        id, size=received.size, sha256=received.sha256, limits=LIMITS
    )
    assert done == Applied()
    return id


async def refer(stores: Stores, *uses: Use) -> None:
    async with stores.database._writer.begin() as connection:  # noqa: SLF001
        await note_uses(connection, uses)


async def is_known(stores: Stores, id: UUID) -> bool:
    return isinstance(await stores.attachments.find(id, service="orders"), Attachment)


async def content_of(stores: Stores, id: UUID, chunks: int = 1) -> bytes | None:
    found = [await stores.contents.get(id, number) for number in range(chunks)]
    return None if None in found else b"".join(each or b"" for each in found)


async def erase(stores: Stores) -> None:
    while await stores.filing.erase_unused():
        pass


async def test_a_file_is_kept_in_pieces_and_told_of(stores: Stores) -> None:
    content = b"%PDF-" + bytes(range(256)) * 4_000

    id = await uploaded(stores, content)
    found = await stores.attachments.find(id, service="orders")

    assert isinstance(found, Attachment)
    assert (found.name, found.type, found.size) == ("a.pdf", "application/pdf", len(content))
    assert found.chunks == 4
    assert await content_of(stores, id, found.chunks) == content
    assert await stores.contents.get(id, found.chunks) is None


async def test_a_file_is_unknown_until_it_is_whole_and_to_others(stores: Stores) -> None:
    half = await begun(stores)
    theirs = await uploaded(stores, service="payments")

    assert not await is_known(stores, half)
    assert not await is_known(stores, theirs)
    assert await stores.attachments.hold([half, theirs, uuid4()], service="orders") == {}
    assert await stores.attachments.remove(theirs, service="orders") == NotFound()
    assert isinstance(await stores.attachments.find(theirs, service=None), Attachment)


async def test_what_is_not_of_its_kind_is_not_kept(stores: Stores) -> None:
    id = await begun(stores)

    assert await stores.filing.receive(id, PDF, pieces(b"MZ\x90\0")) == Misfit()
    assert await stores.filing.receive(id, PDF, pieces(b"")) == Misfit()
    assert await content_of(stores, id) is None


async def test_the_same_key_again_gets_the_same_answer(stores: Stores) -> None:
    kept = Idempotency(service="orders", key="k", fingerprint="f", answer="first")
    first, second = await begun(stores), await begun(stores)

    done = [
        await stores.attachments.complete(id, size=1, sha256="0", limits=LIMITS, idempotency=kept)
        for id in (first, second)
    ]

    assert done == [Applied(), Remembered("first")]
    assert await is_known(stores, first)
    assert not await is_known(stores, second)


async def test_what_nothing_refers_to_is_erased_after_a_day(stores: Stores) -> None:
    id = await uploaded(stores)
    await stores.pass_time(DAY_S - 60)
    await erase(stores)
    assert await content_of(stores, id) == b"%PDF-1"

    await stores.pass_time(120)
    assert not await is_known(stores, id)
    await erase(stores)

    assert await content_of(stores, id) is None
    assert await stores.attachments.of([id]) == {}


async def test_an_upload_that_never_ended_is_erased(stores: Stores) -> None:
    id = await begun(stores)
    await stores.filing.receive(id, PDF, pieces(b"%PDF-1"))
    await stores.pass_time(HOUR_S + 60)

    await erase(stores)

    assert await content_of(stores, id) is None


async def test_what_something_refers_to_stays_as_long_as_that(stores: Stores) -> None:
    id, other = await uploaded(stores), await uploaded(stores)
    await refer(stores, Use(uuid4(), id), Use(uuid4(), id), Use(uuid4(), other))

    for _ in range(3):
        await stores.pass_time(40 * DAY_S)
        await erase(stores)

    assert await is_known(stores, id)
    assert list(await stores.attachments.hold([id], service="orders")) == [id]
    assert await stores.attachments.remove(id, service="orders") == InUse()
    assert await content_of(stores, other) == b"%PDF-1"


async def test_of_many_whose_day_is_over_none_is_erased_that_something_refers_to(
    stores: Stores,
) -> None:
    ids = [await uploaded(stores) for _ in range(25)]
    await refer(stores, *(Use(uuid4(), id) for id in ids))
    await stores.pass_time(2 * DAY_S)

    assert await stores.attachments.take_unused(5) == []
    await erase(stores)

    assert [await content_of(stores, id) for id in ids] == [b"%PDF-1"] * 25


async def test_what_is_held_for_a_notification_outlives_its_day(stores: Stores) -> None:
    id = await uploaded(stores)
    await stores.pass_time(DAY_S - 60)

    assert list(await stores.attachments.hold([id], service="orders")) == [id]
    await stores.pass_time(120)
    await erase(stores)

    assert await is_known(stores, id)


async def test_what_is_removed_is_unknown_at_once_and_erased_a_little_later(
    stores: Stores,
) -> None:
    id = await uploaded(stores)

    assert await stores.attachments.remove(id, service="orders") == Applied()
    assert not await is_known(stores, id)
    assert await stores.attachments.hold([id], service="orders") == {}
    assert await stores.attachments.remove(id, service="orders") == NotFound()
    await erase(stores)
    # Who had looked it up before may refer to it still.
    assert await content_of(stores, id) == b"%PDF-1"
    await stores.pass_time(180)
    await erase(stores)
    assert await content_of(stores, id) is None


async def test_what_was_looked_up_before_it_was_removed_is_sent(stores: Stores) -> None:
    id = await uploaded(stores)
    await stores.attachments.hold([id], service="orders")
    await stores.attachments.remove(id, service="orders")
    await refer(stores, Use(uuid4(), id))
    await stores.pass_time(DAY_S)

    await erase(stores)

    assert await content_of(stores, id) == b"%PDF-1"
    assert list(await stores.attachments.of([id])) == [id]


async def test_a_sensitive_notification_keeps_its_files_until_it_is_over(stores: Stores) -> None:
    only, shared = await uploaded(stores), await uploaded(stores)
    waiting = await stores.accept(a_submission(sensitive=True))
    over = await stores.ended(SUCCEED, a_submission(sensitive=True))
    await refer(stores, *(Use(over.id, each, is_sensitive=True) for each in (only, shared)))
    await refer(stores, Use(waiting.id, shared, is_sensitive=True))

    await erase(stores)
    await stores.pass_time(180)
    await erase(stores)

    assert await content_of(stores, only) is None
    assert await content_of(stores, shared) == b"%PDF-1"


async def test_other_notifications_keep_theirs_as_they_keep_their_content(stores: Stores) -> None:
    id = await uploaded(stores)
    over = await stores.ended(SUCCEED)
    await refer(stores, Use(over.id, id))
    await stores.pass_time(40 * DAY_S)

    await erase(stores)

    assert await content_of(stores, id) == b"%PDF-1"


async def test_a_service_can_not_fill_the_disk_with_what_it_never_sends(stores: Stores) -> None:
    small = AttachmentLimits(max_unused_bytes=5)
    id = await uploaded(stores)

    async def another(service: str) -> TooMuchUnused | None:
        return await stores.attachments.begin(
            id=uuid4(), service=service, name="b.pdf", type="application/pdf", limits=small
        )

    assert await another("orders") == TooMuchUnused()
    assert await another("payments") is None
    await refer(stores, Use(uuid4(), id))
    await stores.pass_time(2 * DAY_S)
    await erase(stores)
    assert await another("orders") is None


@pytest.mark.parametrize("stage", ["contents", "attachments"])
async def test_erasing_that_was_cut_off_is_done_again(stores: Stores, stage: str) -> None:
    id = await uploaded(stores)
    await stores.pass_time(2 * DAY_S)
    assert await stores.attachments.take_unused(9) == [id]
    if stage == "attachments":
        await stores.contents.erase([id])

    await erase(stores)

    assert await content_of(stores, id) is None
    assert await stores.attachments.of([id]) == {}
