import asyncio
import json
from collections.abc import AsyncIterator
from typing import cast

from notifier.api.kit.uploads import Upload
from notifier.api.recipients.importing import _records
from notifier.api.recipients.records import NDJSON


class InOnePiece:
    """A file that is all there at once."""

    type = NDJSON

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def chunks(self, _size: int) -> AsyncIterator[bytes]:
        yield self._content


async def test_others_get_their_turn_while_a_file_is_read() -> None:
    lines = [json.dumps({"user_id": f"u-{number}"}) + "\n" for number in range(1_000)]
    upload = cast(Upload, InOnePiece("".join(lines).encode()))
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(take_turns())
    read = [record.line async for record in _records(upload)]
    other.cancel()

    assert read == list(range(1, 1_001))
    assert turns >= 1_000 // 50
