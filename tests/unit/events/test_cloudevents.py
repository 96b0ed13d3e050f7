"""CloudEvents are read in each mode, and whatever is wrong is said at once."""

from datetime import UTC, datetime
from typing import Any

import pytest

from notifier.events.cloudevents import MAX_DATA_BYTES, read_binary, read_structured
from notifier.events.event import Event
from notifier.intake.draft import Flaw

SHIPPED: dict[str, Any] = {
    "specversion": "1.0",
    "id": "17",
    "source": "/shop",
    "type": "order.shipped",
    "subject": "order 17",
    "time": "2027-01-31T18:00:00+01:00",
    "datacontenttype": "application/json; charset=utf-8",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "partitionkey": "17",
    "data": {"user": "ada", "total": 9.5},
}


def read(**changes: Any) -> Event:
    event = read_structured({**SHIPPED, **changes}, "orders")
    assert isinstance(event, Event), event
    return event


def flaws(**changes: Any) -> list[str]:
    said = {**SHIPPED, **changes}
    event = read_structured({k: v for k, v in said.items() if v is not ...}, "orders")
    assert isinstance(event, list)
    return [each.field for each in event]


def test_an_event_says_what_happened() -> None:
    event = read()

    assert event.key.service == "orders"
    assert (event.source, event.id, event.type, event.subject) == (
        "/shop", "17", "order.shipped", "order 17",
    )  # fmt: skip
    assert event.time == datetime(2027, 1, 31, 17, tzinfo=UTC)
    assert event.data == {"user": "ada", "total": 9.5}
    assert event.traceparent == SHIPPED["traceparent"]


def test_an_event_is_the_same_in_binary_mode() -> None:
    headers = {
        f"ce-{name}": value
        for name, value in SHIPPED.items()
        if name not in ("data", "datacontenttype", "subject")
    }
    headers |= {"ce-subject": "order%2017", "content-type": "application/json", "host": "here"}

    assert read_binary(headers, SHIPPED["data"], "orders") == read()


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"total": 9.5, "user": "ada"}},
        {"traceparent": "00-11111111111111111111111111111111-00f067aa0ba902b7-01"},
        {"datacontenttype": None},
        {"unsaid": None},
    ],
)
def test_what_says_nothing_of_what_happened_makes_no_other_event(changes: Any) -> None:
    assert read(**changes).content_checksum == read().content_checksum


@pytest.mark.parametrize(
    "changes",
    [{"data": {"user": "bob"}}, {"type": "order.lost"}, {"subject": None}, {"partitionkey": "18"}],
)
def test_what_says_something_else_is_another_event(changes: Any) -> None:
    assert read(**changes).content_checksum != read().content_checksum


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"id": ""}, "id"),
        ({"id": ...}, "id"),
        ({"source": 7}, "source"),
        ({"type": "a" * 513}, "type"),
        ({"type": "a\nb"}, "type"),
        ({"subject": "\ud800"}, "subject"),
        ({"time": "yesterday"}, "time"),
        ({"time": "2027-02-31T18:00:00Z"}, "time"),
        ({"datacontenttype": "text/plain"}, "datacontenttype"),
        ({"data_base64": "AA=="}, "data_base64"),
        ({"Upper": "x"}, ""),
        ({"extension": {"a": 1}}, "extension"),
        ({"data": "x" * MAX_DATA_BYTES}, "data"),
        ({"data": ["\0"]}, "data"),
        ({"data": {"\ud800": 1}}, "data"),
        ({"data": 2**63}, "data"),
        ({"data": float("inf")}, "data"),
    ],
)
def test_what_is_wrong_is_named(changes: Any, field: str) -> None:
    assert flaws(**changes) == [field]


def test_data_that_is_nested_too_deeply_is_refused() -> None:
    deep: Any = 1
    for _ in range(40):
        deep = [deep]

    assert flaws(data=deep) == ["data"]


def test_everything_wrong_is_named_at_once() -> None:
    assert read_structured({"specversion": 1}, "orders") == [
        Flaw("specversion", "expected '1.0'"),
        Flaw("id", "expected a text that is not empty"),
        Flaw("source", "expected a text that is not empty"),
        Flaw("type", "expected a text that is not empty"),
    ]
    assert isinstance(read_structured(["no event"], "orders"), list)
