import asyncio
from collections.abc import Sequence

import pytest

from notifier.errors import StoreBusyError, StoreRefusedError, StoreUnavailableError
from notifier.store.kit.batcher import MANY, Batcher


class Database:
    """Doubles numbers; each batch waits for the gate, and some requests spoil theirs."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.started = asyncio.Event()
        self.spoilers: dict[int, Exception] = {}

    async def run(self, requests: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(requests))
        self.started.set()
        await self.gate.wait()
        for request in requests:
            if request in self.spoilers:
                raise self.spoilers[request]
        return [2 * request for request in requests]


def batcher(
    database: Database, max_batch: int = 100, timeout_s: float = 5, gather_s: float = 0
) -> Batcher[int, int]:
    return Batcher(database.run, max_batch=max_batch, timeout_s=timeout_s, gather_s=gather_s)


async def submitted(batcher: Batcher[int, int], requests: Sequence[int]) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(batcher.submit(request)) for request in requests]
    await asyncio.sleep(0)
    return tasks


async def test_while_one_batch_runs_the_next_gathers() -> None:
    database = Database()
    under_test = batcher(database)
    first = await submitted(under_test, [1])
    await database.started.wait()
    others = await submitted(under_test, [2, 3, 4])

    database.gate.set()

    assert await asyncio.gather(*first, *others) == [2, 4, 6, 8]
    assert database.batches == [[1], [2, 3, 4]]


async def test_a_second_batch_runs_beside_the_first_once_many_wait() -> None:
    database = Database()
    under_test = batcher(database)
    tasks = await submitted(under_test, [0])
    await database.started.wait()
    numbers = list(range(1, 2 * MANY))
    few, enough, more = numbers[: MANY - 1], numbers[:MANY], numbers[MANY:]

    tasks += await submitted(under_test, few)
    assert database.batches == [[0]]
    tasks += await submitted(under_test, enough[-1:])
    await asyncio.sleep(0)
    assert database.batches == [[0], enough]
    tasks += await submitted(under_test, more)
    assert len(database.batches) == 2

    database.gate.set()
    assert await asyncio.gather(*tasks) == [2 * number for number in [0, *numbers]]
    assert database.batches == [[0], enough, more]


async def test_who_comes_right_after_a_batch_waits_a_moment_for_others() -> None:
    database = Database()
    database.gate.set()
    under_test = batcher(database, gather_s=0.3)
    await under_test.submit(1)

    first = await submitted(under_test, [2])
    await asyncio.sleep(0.01)  # less than the moment
    others = await submitted(under_test, [3])
    await asyncio.gather(*first, *others)

    assert database.batches == [[1], [2, 3]]


async def test_nobody_waits_for_others_alone_or_once_there_are_many() -> None:
    database = Database()
    database.gate.set()
    under_test = batcher(database, gather_s=600)
    numbers = list(range(1, MANY + 1))

    await under_test.submit(0)
    await asyncio.gather(*await submitted(under_test, numbers))

    assert database.batches == [[0], numbers]


async def test_a_batch_weighs_no_more_than_its_limit_unless_it_is_one_request() -> None:
    database = Database()
    database.gate.set()
    under_test = Batcher(database.run, max_batch=5, timeout_s=5, weigh=lambda request: request)

    await asyncio.gather(*await submitted(under_test, [2, 3, 9, 4, 1]))

    assert database.batches == [[2, 3], [9], [4, 1]]


@pytest.mark.parametrize("error", [StoreRefusedError("no"), StoreBusyError("later")])
async def test_a_row_that_spoils_its_batch_is_refused_alone(error: Exception) -> None:
    database = Database()
    database.gate.set()
    database.spoilers[2] = error

    results = await asyncio.gather(
        *await submitted(batcher(database), [1, 2, 3]), return_exceptions=True
    )

    assert results[0] == 2
    assert results[2] == 6
    assert isinstance(results[1], type(error))
    assert results[1] is not error
    assert str(results[1]) == str(error)
    assert database.batches == [[1, 2, 3], [1], [2], [3]]


async def test_a_database_that_is_away_is_asked_once_for_all() -> None:
    database = Database()
    database.gate.set()
    database.spoilers[2] = StoreUnavailableError("away")

    results = await asyncio.gather(
        *await submitted(batcher(database), [1, 2, 3]), return_exceptions=True
    )

    assert [type(result) for result in results] == [StoreUnavailableError] * 3
    assert len(database.batches) == 1


async def test_a_cancelled_caller_disturbs_no_other() -> None:
    database = Database()
    under_test = batcher(database)
    running = await submitted(under_test, [1, 2])
    await database.started.wait()
    waiting = await submitted(under_test, [3, 4])

    running[0].cancel()
    waiting[0].cancel()
    await asyncio.wait([running[0], waiting[0]])
    database.gate.set()

    assert [await running[1], await waiting[1]] == [4, 8]
    assert database.batches == [[1, 2], [4]]


async def test_a_caller_waits_no_longer_than_its_time_out() -> None:
    database = Database()
    under_test = batcher(database, timeout_s=0.01)
    running = await submitted(under_test, [1])
    await database.started.wait()
    waiting = await submitted(under_test, [2])

    results = await asyncio.gather(*running, *waiting, return_exceptions=True)

    assert [type(result) for result in results] == [StoreUnavailableError] * 2
    database.gate.set()
    assert await under_test.submit(3) == 6
    assert database.batches == [[1], [3]]


async def test_who_has_waited_elsewhere_waits_no_longer_than_his_deadline() -> None:
    database = Database()
    under_test = batcher(database, timeout_s=60)
    deadline = asyncio.get_running_loop().time() + 0.01

    with pytest.raises(StoreUnavailableError):
        await under_test.submit(1, deadline=deadline)

    database.gate.set()
    assert await under_test.submit(2) == 4


async def test_a_defect_reaches_every_caller_and_does_not_end_the_batcher() -> None:
    database = Database()
    database.gate.set()
    database.spoilers[1] = KeyError("a defect")
    under_test = batcher(database)

    with pytest.raises(KeyError):
        await under_test.submit(1)

    assert await under_test.submit(2) == 4
