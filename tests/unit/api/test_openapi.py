"""The description of the API, made for who asks."""

import asyncio

from notifier.api.kit.openapi import Description, openapi_document
from notifier.api.pages import page_operations


async def test_the_document_is_made_once_for_all_who_ask_at_once_and_later() -> None:
    description = Description(page_operations())

    first, *others = await asyncio.gather(*(description.document() for _ in range(3)))

    assert first == openapi_document(page_operations())
    assert all(each is first for each in [*others, await description.document()])


async def test_who_leaves_while_it_is_made_keeps_nobody_else_from_it() -> None:
    description = Description(page_operations())
    leaving = asyncio.create_task(description.document())
    await asyncio.sleep(0)
    staying = asyncio.create_task(description.document())

    leaving.cancel()

    assert (await staying)["openapi"] == "3.1.0"
