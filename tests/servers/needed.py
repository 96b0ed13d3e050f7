"""What a test needs, and cannot do without."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.servers.errors import ServiceUnavailableError


@contextmanager
def needed() -> Iterator[None]:
    """Fail the test, in one line, where a service that it opens here cannot be had."""
    try:
        yield
    except ServiceUnavailableError as error:
        pytest.fail(str(error), pytrace=False)
