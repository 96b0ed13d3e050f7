"""What operators and providers ask of the API of their own accord, until they are answered."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson

from tests.callbacks import BASE_URL, FORM, twilio_signature
from tests.simulation import clients
from tests.simulation.clients import TEMPLATE, Wish
from tests.simulation.eventing.story import Publication
from tests.simulation.loop import this_loop
from tests.simulation.mending import Mended, Move
from tests.simulation.web import Request, Response, Site

_TIMEOUT_S = 10.0
_BACKOFF_S = (0.1, 3.0)
_PATIENCE_S = 200.0
_RECIPIENTS = "/api/v1/recipients"
_BROADCASTS = "/api/v1/broadcasts"
_SCHEDULES = "/api/v1/schedules"
_EVENTS = "/api/v1/events"
_REPLAYS = "/api/v1/replays"


class Operator:
    """Somebody with a key for everything."""

    def __init__(self, key: str, sites: Sequence[Site], chance: random.Random) -> None:
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._key = key
        self._sites = sites
        self._chance = chance

    async def pause(self, provider: str, for_s: float) -> None:
        """Keep a provider from being asked for so long."""
        path = f"/api/v1/providers/{provider}"
        await self._insist("POST", f"{path}/pause", {"reason": "maintenance"})
        await asyncio.sleep(for_s)
        await self.resume(provider)

    async def resume(self, provider: str) -> None:
        """Let a provider be asked again."""
        await self._insist("POST", f"/api/v1/providers/{provider}/resume")

    async def replay(self, ids: Sequence[UUID]) -> None:
        """Let these failed ones be tried again."""
        for id in ids:
            await self._insist("POST", f"/api/v1/notifications/{id}/replay")

    async def mend(
        self, rate_per_s: int, key: str, verbs: Sequence[str], every_s: float
    ) -> Mended | None:
        """Try all that failed again at a rate, and ask these of it, one after the other."""
        response = await self._insist("POST", _REPLAYS, {"rate_per_s": rate_per_s}, key=key)
        if response is None or response.status != HTTPStatus.ACCEPTED:
            return None
        mended = Mended(UUID(response.json()["id"]), rate_per_s)
        for verb in verbs:
            await asyncio.sleep(every_s)
            asked_s = this_loop().time()
            path = f"{_REPLAYS}/{mended.id}/{verb}"
            response = await self._insist("POST", path, key=f"{key}-{verb}")
            if response is not None and response.status == HTTPStatus.OK:
                mended.moves.append(Move(verb, asked_s, this_loop().time()))
        return mended

    async def cancel(self, wish: Wish) -> None:
        """Take a notification back, if that is possible still."""
        wish.is_cancelled = True
        await self._insist("POST", f"/api/v1/notifications/{wish.told}/cancel")

    async def suppress(self, entry: Mapping[str, Any]) -> None:
        """Put an address on the suppression list."""
        await self._insist("POST", "/api/v1/suppressions", entry)

    async def prefer(self, user_id: str, wanted: Mapping[str, Any]) -> None:
        """Change what somebody wants."""
        await self._insist("PATCH", f"{_RECIPIENTS}/{user_id}/preferences", wanted)

    async def declare(self, category: str, wanted: Mapping[str, Any]) -> None:
        """Say something else of a category."""
        await self._insist("PUT", f"/api/v1/categories/{category}", wanted)

    async def leave_in_peace(self, hours: Mapping[str, str]) -> None:
        """Have everybody left in peace who says nothing themselves."""
        await self._insist("PUT", "/api/v1/quiet-hours", {"quiet_hours": hours})

    async def put(self, user_id: str, profile: Mapping[str, Any]) -> None:
        """Say something else of somebody."""
        await self._insist("PUT", f"{_RECIPIENTS}/{user_id}", profile)

    async def leave(self, user_id: str, for_s: float, profile: Mapping[str, Any]) -> None:
        """Forget somebody, and have them back some time later as somebody new."""
        await self._insist("DELETE", f"{_RECIPIENTS}/{user_id}")
        await asyncio.sleep(for_s)
        await self.put(user_id, profile)

    async def publish(self, draft: Mapping[str, Any], key: str) -> None:
        """Let the template of the world say something else from now on."""
        path = f"/api/v1/templates/{TEMPLATE}"
        await self._insist("PUT", f"{path}/draft", draft)
        await self._insist("POST", f"{path}/publish", key=key)

    async def join(self, topic: str, user_id: str) -> None:
        """Make somebody a member of a topic."""
        members = {"members": [{"user_id": user_id}]}
        await self._insist("PUT", f"/api/v1/topics/{topic}/members", members)

    async def part(self, topic: str, user_id: str) -> None:
        """Have somebody be no member any more."""
        gone = {"user_ids": [user_id]}
        await self._insist("DELETE", f"/api/v1/topics/{topic}/members", gone)

    async def broadcast(
        self, wanted: Mapping[str, Any], key: str, moves: Sequence[str], every_s: float
    ) -> None:
        """Send a template to a topic, and make these moves with it, one after the other."""
        response = await self._insist("POST", _BROADCASTS, wanted, key=key)
        if response is None or response.status != HTTPStatus.ACCEPTED:
            return
        for move in moves:
            await asyncio.sleep(every_s)
            path = f"{_BROADCASTS}/{response.json()['id']}/{move}"
            await self._insist("POST", path, key=f"{key}-{move}")

    async def repeat(self, wanted: Mapping[str, Any], until_s: float) -> None:
        """Send a template again and again, until it is this time of the world."""
        response = await self._insist("POST", _SCHEDULES, wanted, key=wanted["name"])
        if response is None or response.status != HTTPStatus.CREATED:
            return
        await asyncio.sleep(until_s - this_loop().time())
        await self._insist("POST", f"{_SCHEDULES}/{response.json()['id']}/pause")

    async def send(self, wish: Wish) -> None:
        """Ask for a notification until it is accepted."""
        until_s = this_loop().time() + _PATIENCE_S
        await clients.send([wish], self._key, self._sites, self._chance, until_s)

    async def merge(self, user_id: str, gone: str) -> Response | None:
        """Make one of two: whoever is `gone` is the one of `user_id` from now on."""
        return await self._insist("POST", f"{_RECIPIENTS}/{user_id}/merge", {"from": gone})

    async def erase(self, user_id: str) -> Response | None:
        """Have somebody forgotten, with all that is known of them."""
        path = f"{_RECIPIENTS}/{user_id}/erase"
        return await self._insist("POST", path, {"reason": "user_request"})

    async def publish_all(self, published: Sequence[Publication]) -> None:
        """Publish these together, and keep what was answered."""
        response = await self.publish_events([each.event for each in published])
        if response is None:
            for each in published:
                each.is_unanswered = True
            return
        answer: Mapping[str, Any] = response.json()
        if response.status != HTTPStatus.ACCEPTED:
            for each in published:
                each.refusals.append(f"{response.status} {answer}")
            return
        for each, item in zip(published, answer.get("items", [answer]), strict=True):
            each.told.append(item["id"])

    async def publish_events(self, events: Sequence[Mapping[str, Any]]) -> Response | None:
        """Say what has happened, one thing or several."""
        is_one = len(events) == 1
        kind = "cloudevents" if is_one else "cloudevents-batch"
        headers = {**self._headers, "content-type": f"application/{kind}+json"}
        body = orjson.dumps(events[0] if is_one else events)
        return await insisted(Request("POST", _EVENTS, headers, body), self._sites, self._chance)

    async def _insist(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, key: str = ""
    ) -> Response | None:
        content = b"" if body is None else orjson.dumps(body)
        headers = {**self._headers, "idempotency-key": key} if key else self._headers
        request = Request(method, path, headers, content)
        return await insisted(request, self._sites, self._chance)


async def call_back(
    id: UUID, status: str, sid: str, sites: Sequence[Site], chance: random.Random
) -> bool:
    """Tell, as Twilio does, what became of a message, again and again; whether that was taken."""
    form = {"MessageSid": sid, "AccountSid": "AC" + "0" * 32, "MessageStatus": status}
    signature = twilio_signature(f"{BASE_URL}/{id}", form)
    headers = {"content-type": FORM["Content-Type"], "x-twilio-signature": signature}
    request = Request("POST", f"/callbacks/twilio/{id}", headers, urlencode(form).encode())
    response = await insisted(request, sites, chance)
    return response is not None and response.status < HTTPStatus.BAD_REQUEST


async def insisted(
    request: Request, sites: Sequence[Site], chance: random.Random
) -> Response | None:
    """Ask until there is an answer that repeating would not change; None if that takes too long."""
    end_s = this_loop().time() + _PATIENCE_S
    while this_loop().time() < max(end_s, *(site.back_s + _PATIENCE_S for site in sites)):
        try:
            response = await chance.choice(sites).ask(request, _TIMEOUT_S)
        except OSError:
            response = None
        if response is not None and not _is_to_be_repeated(response):
            return response
        await asyncio.sleep(chance.uniform(*_BACKOFF_S))
    return None


def _is_to_be_repeated(response: Response) -> bool:
    is_busy = response.status == HTTPStatus.CONFLICT and response.json()["code"] == "busy"
    return is_busy or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR
