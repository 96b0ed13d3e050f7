"""Clusters that a test has to itself: it kills their members."""

from collections.abc import Iterator

import pytest

from tests.services.errors import ServiceUnavailableError
from tests.services.postgres_pair import PostgresPair, private_postgres_pair


@pytest.fixture
def synchronous_pair() -> Iterator[PostgresPair]:
    """A primary that acknowledges a commit once its standby has it."""
    yield from _pair(synchronous=True)


@pytest.fixture
def asynchronous_pair() -> Iterator[PostgresPair]:
    """A primary that waits for no standby."""
    yield from _pair(synchronous=False)


def _pair(*, synchronous: bool) -> Iterator[PostgresPair]:
    try:
        with private_postgres_pair(synchronous=synchronous) as pair:
            yield pair
    except ServiceUnavailableError as error:
        pytest.fail(str(error), pytrace=False)
