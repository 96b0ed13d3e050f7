"""What the chart of the overview draws."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api import Api, serving
from tests.console import signed_in

SERIES = "/console/overview/series"
HOUR, DAY = 3_600, 86_400


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


def now_s(api: Api) -> int:
    return int(api.clock.now().timestamp())


async def test_what_happened_is_drawn_a_second_in_the_last_day(api: Api) -> None:
    await api.send()
    await api.fail(await api.send())
    await api.stores.statistics.tally()
    client = await signed_in(api, "read")

    found = (await client.get(SERIES)).json()

    assert found["step"] == "minute"
    assert len(found["at"]) == len(found["accepted"]) in (1_440, 1_441, 1_442)
    assert sum(found["accepted"]) == pytest.approx(2 / 60, abs=0.001)
    assert sum(found["failed"]) == pytest.approx(1 / 60, abs=0.001)
    assert {later - at for at, later in zip(found["at"], found["at"][1:], strict=False)} == {60}


@pytest.mark.parametrize(
    ("begins", "ends", "step"),
    [
        (HOUR, 0, "minute"),
        (3 * DAY - HOUR, 3 * DAY - 2 * HOUR, "minute"),
        (7 * DAY, 0, "hour"),
        (30 * DAY, 30 * DAY - HOUR, "hour"),
        (90 * DAY, 0, "day"),
        (365 * DAY, 0, "day"),
    ],
)
async def test_a_span_is_as_fine_as_its_length_and_what_is_kept_allow(
    api: Api, begins: int, ends: int, step: str
) -> None:
    client, now = await signed_in(api, "read"), now_s(api)

    found = await client.get(SERIES, params={"since": now - begins, "before": now - ends})

    assert found.json()["step"] == step
    assert len(found.json()["at"]) <= 1_502


async def test_a_service_is_shown_its_own(api: Api) -> None:
    await api.send()
    await api.stores.statistics.tally()

    other = await signed_in(api, "read", service="payments")

    assert sum((await other.get(SERIES)).json()["accepted"]) == 0


@pytest.mark.parametrize("since", ["x", "1e9", "9" * 30])
async def test_what_is_no_time_is_refused(api: Api, since: str) -> None:
    client = await signed_in(api, "read")

    assert (await client.get(SERIES, params={"since": since})).status_code == 422


async def test_spans_of_hundreds_of_years_or_of_none_are_bounded(api: Api) -> None:
    client, now = await signed_in(api, "read"), now_s(api)

    long = (await client.get(SERIES, params={"since": 0, "before": now + 10**9})).json()
    upside_down = (await client.get(SERIES, params={"since": now, "before": now - DAY})).json()

    assert len(long["at"]) <= 1_502
    assert upside_down["at"] == []
