"""The endpoints for topics: whom a service tells about something."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Literal, TypeVar

from starlette.responses import Response

from notifier.api.kit.answers import Answer, ok
from notifier.api.kit.calls import Call
from notifier.api.kit.checking import read_model, read_strictly
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import (
    INVALID,
    NOT_FOUND,
    InvalidField,
    ProblemError,
    invalid,
    there,
)
from notifier.api.kit.querying import named_place
from notifier.api.kit.views import InvalidFieldView
from notifier.api.topics.shapes import (
    AddedMembersView,
    AddedMemberView,
    CountedTopicView,
    DroppedMembersView,
    DroppedMemberView,
    MemberRequest,
    MembersFrame,
    MembersQuery,
    MembersRequest,
    MembersView,
    MemberView,
    TopicQuery,
    TopicRequest,
    TopicsQuery,
    TopicsView,
    TopicView,
    UserIdsRequest,
)
from notifier.audience.topic import (
    KEY_WORDS,
    MAX_MEMBERS,
    Member,
    TopicStore,
    is_topic_key,
)
from notifier.notification.model import JsonValue

PREFIX = "/api/v1/topics"

_TAG = "Topics"
_MAX_VALUES = 100_000
_MAX_BYTES = 3_000_000

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicEndpoints:
    """Lets services say whom they tell about something."""

    topics: TopicStore

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (
            self._listing(),
            self._setting(),
            self._showing(),
            self._removing(),
            self._listing_members(),
            self._adding(),
            self._dropping(),
        )

    async def show_page(self, call: Call[None, TopicsQuery]) -> Response:
        """Show a page of topics."""
        query = call.query
        found = await self.topics.list(
            service=call.seeing(query.service), limit=query.limit + 1, after=query.after
        )
        return call.page(found, TopicsView, TopicView.of, named_place)

    async def set(self, call: Call[TopicRequest, TopicQuery]) -> Response:
        """Add a topic, or give it another title."""
        service, key = call.acting_for(call.query.service), call.named("topic")
        if not is_topic_key(key):
            raise invalid([InvalidField("", KEY_WORDS)])
        topic = await self.topics.set(service=service, key=key, title=call.body.title)
        return ok(TopicView.of(topic))

    async def show(self, call: Call[None, TopicQuery]) -> Response:
        """Show one."""
        service, key = _place(call)
        topic = there(await self.topics.get(service, key))
        members = await self.topics.count(service, key)
        return ok(CountedTopicView(**dict(TopicView.of(topic)), members=members))

    async def remove(self, call: Call[None, TopicQuery]) -> Response:
        """Remove one, with its members."""
        there(await self.topics.remove(*_place(call)))
        return Answer(status=HTTPStatus.NO_CONTENT).response()

    async def show_members(self, call: Call[None, MembersQuery]) -> Response:
        """Show a page of members."""
        service, key = _place(call)
        there(await self.topics.get(service, key))
        limit = call.query.limit
        found = await self.topics.members(service, key, limit=limit + 1, after=call.query.after)
        return call.page(found, MembersView, MemberView.of, lambda member: member.user_id)

    async def add(self, call: Call[MembersFrame, TopicQuery]) -> Response:
        """Add what is good of up to a thousand members."""
        service, key = _place(call)
        readings = list(_read_members(call.body.members))
        members = [each for each in readings if isinstance(each, Member)]
        if not members:
            there(await self.topics.get(service, key))
            raise _all_invalid(readings)
        new = there(await self.topics.add(service, key, members))
        return ok(_added(call.body.members, readings, new))

    async def drop(self, call: Call[UserIdsRequest, TopicQuery]) -> Response:
        """Remove up to a thousand members."""
        asked = call.body.user_ids
        removed = there(await self.topics.drop(*_place(call), dict.fromkeys(asked)))
        items = [
            DroppedMemberView(user_id=id, status="removed" if id in removed else "no_member")
            for id in asked
        ]
        return ok(DroppedMembersView(removed=len(removed), items=items))

    def _listing(self) -> Operation:
        return Operation(
            id="listTopics",
            method="GET",
            path=PREFIX,
            summary="List topics",
            description="Of the key's service; with the scope admin of all, or of `service`.",
            tag=_TAG,
            serve=self.show_page,
            scope="recipients",
            query=TopicsQuery,
            replies={200: Reply(description="One page", model=TopicsView)},
        )

    def _setting(self) -> Operation:
        return Operation(
            id="setTopic",
            method="PUT",
            path=f"{PREFIX}/{{topic}}",
            summary="Add a topic, or give it another title",
            tag=_TAG,
            serve=self.set,
            scope="recipients",
            query=TopicQuery,
            body=TopicRequest,
            replies={200: Reply(description="The topic", model=TopicView)},
            problems=(INVALID,),
        )

    def _showing(self) -> Operation:
        return Operation(
            id="getTopic",
            method="GET",
            path=f"{PREFIX}/{{topic}}",
            summary="A topic, and how many are told",
            tag=_TAG,
            serve=self.show,
            scope="recipients",
            query=TopicQuery,
            replies={200: Reply(description="The topic", model=CountedTopicView)},
            problems=(NOT_FOUND,),
        )

    def _removing(self) -> Operation:
        return Operation(
            id="removeTopic",
            method="DELETE",
            path=f"{PREFIX}/{{topic}}",
            summary="Remove a topic, with its members",
            description="Thousands of members at a time: after an answer that never came, ask "
            "again. A broadcast to it that is under way ends there.",
            tag=_TAG,
            serve=self.remove,
            scope="recipients",
            query=TopicQuery,
            replies={204: Reply(description="It is gone")},
            problems=(NOT_FOUND,),
        )

    def _listing_members(self) -> Operation:
        return Operation(
            id="listTopicMembers",
            method="GET",
            path=f"{PREFIX}/{{topic}}/members",
            summary="Who is told",
            tag=_TAG,
            serve=self.show_members,
            scope="recipients",
            query=MembersQuery,
            replies={200: Reply(description="One page", model=MembersView)},
            problems=(NOT_FOUND,),
        )

    def _adding(self) -> Operation:
        return Operation(
            id="addTopicMembers",
            method="PUT",
            path=f"{PREFIX}/{{topic}}/members",
            summary="Add up to 1,000 members",
            description="With an answer per item, in order; a bad item spoils no other. Who is a "
            "member already gets these properties. They need not be in the directory yet.",
            tag=_TAG,
            serve=self.add,
            scope="recipients",
            query=TopicQuery,
            body=MembersRequest,
            check=partial(read_model, MembersFrame),
            max_values=_MAX_VALUES,
            max_bytes=_MAX_BYTES,
            replies={200: Reply(description="All or some are members", model=AddedMembersView)},
            problems=(NOT_FOUND,),
        )

    def _dropping(self) -> Operation:
        return Operation(
            id="removeTopicMembers",
            method="DELETE",
            path=f"{PREFIX}/{{topic}}/members",
            summary="Remove up to 1,000 members",
            tag=_TAG,
            serve=self.drop,
            scope="recipients",
            query=TopicQuery,
            body=UserIdsRequest,
            max_values=2 * MAX_MEMBERS,
            max_bytes=_MAX_BYTES,
            replies={200: Reply(description="None of them is a member", model=DroppedMembersView)},
            problems=(NOT_FOUND,),
        )


def _place(call: Call[Any, Any]) -> tuple[str, str]:
    return call.acting_for(call.query.service), str(call.named("topic"))


def _read_members(values: Sequence[JsonValue]) -> Iterator[Member | list[InvalidField]]:
    seen: set[str] = set()
    for index, value in enumerate(values):
        path = ("members", index)
        read = read_strictly(MemberRequest, value, path=path)
        if isinstance(read, list):
            yield read
        elif read.user_id in seen:
            yield [InvalidField(f"/members/{index}/user_id", "given more than once")]
        else:
            seen.add(read.user_id)
            yield Member(read.user_id, read.properties)


def _all_invalid(readings: Sequence[Member | list[InvalidField]]) -> ProblemError:
    return invalid([error for each in readings if isinstance(each, list) for error in each])


def _added(
    values: Sequence[JsonValue],
    readings: Sequence[Member | list[InvalidField]],
    new: Collection[str],
) -> AddedMembersView:
    items = [_item(*each, new) for each in zip(values, readings, strict=True)]
    count = [item.status for item in items].count
    return AddedMembersView(
        added=count("added"), updated=count("updated"), rejected=count("rejected"), items=items
    )


def _item(
    value: JsonValue, reading: Member | list[InvalidField], new: Collection[str]
) -> AddedMemberView:
    if isinstance(reading, Member):
        status: Literal["added", "updated"] = "added" if reading.user_id in new else "updated"
        return AddedMemberView(user_id=reading.user_id, status=status, errors=[])
    named = value.get("user_id") if isinstance(value, dict) else None
    return AddedMemberView(
        user_id=named if isinstance(named, str) else None,
        status="rejected",
        errors=[InvalidFieldView(pointer=each.where, detail=each.detail) for each in reading],
    )
