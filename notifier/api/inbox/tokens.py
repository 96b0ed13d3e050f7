"""Making subscriber tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import Response

from notifier.access.subscribers import Subscriber, SubscriberTokens
from notifier.api.inbox.shapes import PREFIX, TAG
from notifier.api.kit.answers import ok
from notifier.api.kit.calls import Call
from notifier.api.kit.fields import normalised
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.views import View
from notifier.clock import Clock
from notifier.notification.model import Channel

_QUARTER_S, _A_DAY_S = 900, 86_400


class TokenRequest(BaseModel):
    """Whose inbox a browser is to open, and for how long."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    recipient: Annotated[
        str,
        Field(
            min_length=1,
            max_length=320,
            description="As in sends of `in_app`. It is your service that knows who uses its page.",
        ),
        AfterValidator(partial(normalised, Channel.IN_APP)),
    ]
    expires_in_s: Annotated[
        int, Field(ge=1, le=_A_DAY_S, description="Seconds until it expires, a day at most.")
    ] = _QUARTER_S


class TokenView(View):
    """A subscriber token."""

    token: Annotated[str, Field(description="For `Authorization: Bearer` in the browser.")]
    recipient: Annotated[str, Field(description="Whose inbox it opens.")]
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxTokens:
    """Makes subscriber tokens for whoever may read inboxes."""

    tokens: SubscriberTokens
    clock: Clock

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoint."""
        return (self._make_token(),)

    async def token(self, call: Call[TokenRequest, None]) -> Response:
        """Make a subscriber token; it is kept nowhere."""
        expires_at = self.clock.now() + timedelta(seconds=call.body.expires_in_s)
        subscriber = Subscriber(
            service=call.caller.service,
            recipient=call.body.recipient,
            key_id=call.caller.key_id,
            expires_at=expires_at.replace(microsecond=0),
        )
        view = TokenView(
            token=self.tokens.sign(subscriber),
            recipient=subscriber.recipient,
            expires_at=subscriber.expires_at,
        )
        return ok(view)

    def _make_token(self) -> Operation:
        return Operation(
            id="makeInboxToken",
            method="POST",
            path=f"{PREFIX}/tokens",
            summary="Make a subscriber token, with which a browser opens one inbox",
            description="It reads, follows and marks this inbox, and does nothing else. It is kept "
            "nowhere, and ends with the API key that made it.",
            tag=TAG,
            serve=self.token,
            scope="read",
            body=TokenRequest,
            is_gathered=True,
            replies={200: Reply(description="The token", model=TokenView)},
        )
