from collections.abc import AsyncIterator

import pytest

from tests.contract.broker.bench import MODELS, Bench, model_bench, rabbit_bench
from tests.contract.broker.client import Client, Line, connected


@pytest.fixture(params=[*MODELS, "rabbitmq"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    if request.param == "rabbitmq":
        opening = rabbit_bench(request.getfixturevalue("rabbitmq"))
    else:
        opening = model_bench(MODELS[request.param])
    async with opening as opened:
        yield opened


@pytest.fixture
async def client(bench: Bench) -> AsyncIterator[Client]:
    async with connected(bench.url) as client:
        yield client


@pytest.fixture
async def writer(client: Client) -> Line:
    """A channel with confirms, once there is the queue q."""
    line = await client.line()
    await line.select()
    await line.declare("q")
    return line


@pytest.fixture
async def reader(writer: Line) -> Line:
    """Another channel of the same connection, once there is the queue q."""
    return await writer.beside()
