"""A service that uses notifier over HTTP, as the tests see it."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import httpx2

from tests.patience import AT_ALL_S
from tests.servers.processes import wait_until

PREFIX = "/api/v1/notifications"
MAIL: Mapping[str, Any] = {
    "type": "email",
    "recipient": "ada@example.com",
    "subject": "Your order",
    "content": "Hello.",
}
SMS: Mapping[str, Any] = {"type": "sms", "recipient": "+491701234567", "content": "Hello."}
IN_APP: Mapping[str, Any] = {"type": "in_app", "recipient": "user-4711", "content": "Hello."}
_ASK_AGAIN = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.CONFLICT)
FINAL = frozenset({"sent", "delivered", "bounced", "failed", "expired", "cancelled", "suppressed"})


@dataclass(frozen=True, slots=True)
class Service:
    """A client with an API key."""

    client: httpx2.Client

    def post(self, path: str, body: object = None, **headers: str) -> httpx2.Response:
        """POST; underscores in names of headers stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is None:
            return self.client.post(path, headers=named)
        return self.client.post(path, json=body, headers=named)

    def get(self, path: str, **query: str | int) -> Any:
        """GET what must be there."""
        answer = _answered(partial(self.client.get, path, params=query or None))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def send(self, notification: Mapping[str, Any], **changes: object) -> str:
        """Send a notification that must be accepted; returns its id."""
        answer = self._post_at_last(f"{PREFIX}/send", {**notification, **changes})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def send_batch(self, notifications: Sequence[Mapping[str, Any]]) -> list[str]:
        """Send a batch that must be accepted whole; returns the ids."""
        answer = self._post_at_last(f"{PREFIX}/batch", {"notifications": notifications})
        assert answer.status_code == 202, answer.text
        assert answer.json()["rejected"] == 0
        return [str(item["id"]) for item in answer.json()["items"]]

    def _post_at_last(self, path: str, body: object) -> httpx2.Response:
        """POST as clients are told to: with a key, and again while there is no answer."""
        return _answered(partial(self.post, path, body, Idempotency_Key=uuid4().hex))

    def status(self, id: str) -> dict[str, Any]:
        """Where a notification stands."""
        return dict(self.get(f"{PREFIX}/{id}/status"))

    def show(self, id: str) -> dict[str, Any]:
        """All of a notification."""
        return dict(self.get(f"{PREFIX}/{id}"))

    def await_status(
        self, id: str, wanted: Collection[str] = FINAL, *, timeout_s: float = AT_ALL_S
    ) -> dict[str, Any]:
        """Wait until a notification has one of these statuses; returns the answer."""
        seen: list[dict[str, Any]] = []

        def reached() -> bool:
            seen.append(self.status(id))
            return seen[-1]["status"] in wanted

        wait_until(reached, timeout_s=timeout_s, what=f"{id} {'|'.join(wanted)}")
        return seen[-1]

    def account(self) -> dict[str, Any]:
        """The account."""
        return dict(self.get("/api/v1/account"))

    def await_settled(self, accepted: int, *, timeout_s: float = AT_ALL_S) -> dict[str, int]:
        """Wait until all that were accepted have reached a final state; returns the states."""
        seen: list[dict[str, Any]] = []

        def settled() -> bool:
            seen.append(self.account())
            return _count(seen[-1], FINAL) >= accepted

        wait_until(settled, timeout_s=timeout_s, what=f"{accepted} in final states")
        assert seen[-1]["balanced"], seen[-1]
        assert seen[-1]["accepted"] == accepted, seen[-1]
        return {name: count for name, count in seen[-1]["by_status"].items() if count}

    @contextmanager
    def stream(self, recipient: str, last_event_id: str | None = None) -> Iterator["Stream"]:
        """Follow an inbox."""
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        path = f"/api/v1/inbox/{recipient}/stream"
        with self.client.stream("GET", path, headers=headers, timeout=AT_ALL_S) as answer:
            assert answer.status_code == 200
            yield Stream(answer.iter_lines())


@dataclass(slots=True)
class Event:
    """A server-sent event."""

    id: str
    name: str
    content: Any


class Stream:
    """A stream of server-sent events."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines

    def next(self) -> Event:
        """Wait for the next event; comments are passed over."""
        fields: dict[str, str] = {}
        for line in self._lines:
            name, _, value = line.partition(":")
            if name:
                fields[name] = value.strip()
            elif not line and "event" in fields:
                return Event(fields["id"], fields["event"], json.loads(fields["data"]))
            elif not line:
                fields.clear()
        raise AssertionError("the stream ended")


@contextmanager
def service_at(url: str, key: str) -> Iterator[Service]:
    """A client of the API at `url`, and its connections."""
    headers = {"Authorization": f"Bearer {key}"}
    with httpx2.Client(base_url=url, headers=headers, timeout=AT_ALL_S) as client:
        yield Service(client)


def _answered(ask: Callable[[], httpx2.Response]) -> httpx2.Response:
    """Ask until the database answers in time; where the machine stands still, it does not."""
    answers: list[httpx2.Response] = []

    def is_answered() -> bool:
        answers.append(ask())
        return answers[-1].status_code not in _ASK_AGAIN

    wait_until(is_answered, timeout_s=AT_ALL_S, what="an answer")
    return answers[-1]


def _count(account: Mapping[str, Any], statuses: Collection[str]) -> int:
    return sum(account["by_status"][status] for status in statuses)
