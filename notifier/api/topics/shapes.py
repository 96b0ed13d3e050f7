"""What services say of topics, and are told."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic import JsonValue as PydanticJson
from pydantic_core import to_json

from notifier.api.kit.fields import UserId, single_line
from notifier.api.kit.querying import Limit, NamedPlace, QueryModel, Service
from notifier.api.kit.views import InvalidFieldView, Page, View
from notifier.audience.topic import (
    MAX_MEMBERS,
    MAX_PROPERTIES_BYTES,
    MAX_TITLE_CHARS,
    Member,
    Topic,
)


def _bounded(properties: dict[str, PydanticJson] | None) -> dict[str, PydanticJson] | None:
    if properties and len(to_json(properties)) > MAX_PROPERTIES_BYTES:
        message = f"expected at most {MAX_PROPERTIES_BYTES} bytes of JSON"
        raise ValueError(message)
    return properties


class _Request(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class TopicRequest(_Request):
    """A topic."""

    title: Annotated[
        str,
        Field(
            min_length=1, max_length=MAX_TITLE_CHARS, description="For people, not for programs."
        ),
        AfterValidator(single_line),
    ]


class MemberRequest(_Request):
    """Somebody who is told."""

    user_id: UserId
    properties: Annotated[
        dict[str, PydanticJson] | None,
        AfterValidator(_bounded),
        Field(
            description="Variables of this member, which take the place of a broadcast's own of "
            f"the same name. At most {MAX_PROPERTIES_BYTES} bytes."
        ),
    ] = None


class MembersFrame(_Request):
    """A call with members, each still unread."""

    members: Annotated[list[PydanticJson], Field(min_length=1, max_length=MAX_MEMBERS)]


class MembersRequest(_Request):
    """Members to add."""

    members: Annotated[list[MemberRequest], Field(min_length=1, max_length=MAX_MEMBERS)]


class UserIdsRequest(_Request):
    """Members to remove."""

    user_ids: Annotated[list[UserId], Field(min_length=1, max_length=MAX_MEMBERS)]


class TopicView(View):
    """A topic."""

    service: str
    key: str
    title: str
    updated_at: datetime

    @classmethod
    def of(cls, it: Topic) -> Self:
        """View `it`."""
        return cls(service=it.service, key=it.key, title=it.title, updated_at=it.updated_at)


class CountedTopicView(TopicView):
    """A topic, and how many are told."""

    members: int


class TopicsView(Page[TopicView]):
    """One page of topics."""


class MemberView(View):
    """Somebody who is told."""

    user_id: str
    properties: dict[str, PydanticJson]

    @classmethod
    def of(cls, it: Member) -> Self:
        """View `it`."""
        return cls(user_id=it.user_id, properties=dict(it.properties or {}))


class MembersView(Page[MemberView]):
    """One page of members, by user id."""


class AddedMemberView(View):
    """What became of one member."""

    user_id: str | None
    status: Literal["added", "updated", "rejected"]
    errors: list[InvalidFieldView]


class AddedMembersView(View):
    """What became of each member, in their order."""

    added: int
    updated: int
    rejected: int
    items: list[AddedMemberView]


class DroppedMemberView(View):
    """What became of one user id."""

    user_id: str
    status: Literal["removed", "no_member"]


class DroppedMembersView(View):
    """What became of each user id, in their order."""

    removed: int
    items: list[DroppedMemberView]


class TopicQuery(QueryModel):
    """Whose topic."""

    service: Service = None


class TopicsQuery(TopicQuery):
    """Whose topics."""

    limit: Limit = 50
    after: NamedPlace = None


class MembersQuery(TopicQuery):
    """Which members."""

    limit: Limit = 50
    after: Annotated[UserId | None, Field(description="The last user id seen.")] = None
