"""Whom a notification is for, as clients say it and as they are told."""

from typing import Annotated, TypeAlias

from pydantic import Field

from notifier.api.kit.fields import UserId, WrittenRecipient
from notifier.api.kit.views import View

Recipient: TypeAlias = Annotated[
    WrittenRecipient | None,
    Field(
        description="Where it goes, or null with a `user_id`. With both, the address is for this "
        "one notification, and the person's choices hold."
    ),
]
OfPerson: TypeAlias = Annotated[
    UserId | None,
    Field(
        description="A person in the service's directory (`/api/v1/recipients`): their address of "
        "the channel, their language and their choices, as they are when it is sent.",
    ),
]
Category: TypeAlias = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=64,
        description="One of the service's categories, which people choose by. A template has its "
        "own.",
    ),
]


class ReasonView(View):
    """Why a notification is not sent, or not yet: what its recipient chose."""

    code: Annotated[str, Field(description="Such as choice, category_default, quiet_hours.")]
    detail: str
