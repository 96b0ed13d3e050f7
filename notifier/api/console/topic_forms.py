"""The forms of topics: adding one, its title, who is told, and removing it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.responses import Response

from notifier.api.console.fields import Control, Field, FormPage, filled, flaws_of
from notifier.api.console.topics import (
    ADD_MEMBERS,
    DROP_MEMBER,
    MEMBERS,
    SECTION,
    TOPIC_REMOVE,
    TOPIC_SET,
    named,
)
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import counted
from notifier.api.kit.checking import read_strictly
from notifier.api.kit.problems import InvalidField, there
from notifier.api.topics.shapes import MemberRequest, TopicRequest
from notifier.audience.topic import (
    KEY_WORDS,
    MAX_MEMBERS,
    Member,
    Topic,
    TopicStore,
    is_topic_key,
)

_UP = (SECTION.title, SECTION.path)
_SERVICE = Field("service", "Service", "Whose topic it is")
_SETTING = FormPage(
    title="Add a topic",
    fields=(
        Field("key", "Key", "Such as news.weekly: what broadcasts and rules name"),
        Field("title", "Title", "For people"),
    ),
    said=("One of this key gets another title, and keeps its members.",),
    button="Save",
    action=TOPIC_SET,
    up=_UP,
)


@dataclass(frozen=True, slots=True)
class TopicForms:
    """Lets operators say which topics there are, and who is told."""

    topics: TopicStore

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        scope = SECTION.scope
        return (
            ConsolePage(path=TOPIC_SET, scope=scope, serve=self.offer),
            ConsolePage(path=TOPIC_SET, scope=scope, serve=self.set, method="POST"),
            ConsolePage(path=TOPIC_REMOVE, scope=scope, serve=self.ask_to_remove),
            ConsolePage(path=TOPIC_REMOVE, scope=scope, serve=self.remove, method="POST"),
            ConsolePage(path=ADD_MEMBERS, scope=scope, serve=self.offer_members),
            ConsolePage(path=ADD_MEMBERS, scope=scope, serve=self.add, method="POST"),
            ConsolePage(path=DROP_MEMBER, scope=scope, serve=self.ask_to_drop),
            ConsolePage(path=DROP_MEMBER, scope=scope, serve=self.drop, method="POST"),
        )

    async def offer(self, visit: Visit) -> Response:
        """Show the form, as the topic is that the query names."""
        if not visit.asked("topic"):
            return _setting(visit).show(visit, filled(service=visit.caller.service))
        topic = await self._asked(visit)
        known = filled(service=topic.service, key=topic.key, title=topic.title)
        return _setting(visit).show(visit, known)

    async def set(self, visit: Visit) -> Response:
        """Add one, or give it another title."""
        form = visit.form
        key, wanted = form.text("key"), read_strictly(TopicRequest, {"title": form.text("title")})
        wrong = wanted if isinstance(wanted, list) else []
        if not is_topic_key(key):
            wrong = [InvalidField("/key", KEY_WORDS), *wrong]
        if wrong or isinstance(wanted, list):
            return _setting(visit).show(visit, form, flaws_of(wrong))
        service = visit.caller.may_name(form.text("service") or None)
        await self.topics.set(service=service, key=key, title=wanted.title)
        return visit.to(SECTION.path, done="set")

    async def ask_to_remove(self, visit: Visit) -> Response:
        """Ask whether it is meant."""
        topic = await self._asked(visit)
        members = await self.topics.count(topic.service, topic.key)
        page = FormPage(
            title="Remove this topic?",
            fields=(),
            facts=(*_facts(topic), ("Told", counted(members, "member"))),
            said=("Its members go with it. A broadcast to it that is under way ends there.",),
            hidden=_hidden(topic),
            button="Remove it",
            action=TOPIC_REMOVE,
            up=_back(topic),
            is_dangerous=True,
        )
        return page.show(visit)

    async def remove(self, visit: Visit) -> Response:
        """Remove one, with its members."""
        topic = await self._posted(visit)
        there(await self.topics.remove(topic.service, topic.key))
        return visit.to(SECTION.path, done="removed")

    async def offer_members(self, visit: Visit) -> Response:
        """Ask who is to be told."""
        return _adding(await self._asked(visit)).show(visit)

    async def add(self, visit: Visit) -> Response:
        """Tell them as well."""
        topic = await self._posted(visit)
        members = _read_members(visit.form.text("user_ids"))
        if isinstance(members, list):
            return _adding(topic).show(visit, visit.form, flaws_of(members))
        there(await self.topics.add(topic.service, topic.key, list(members.values())))
        return _to_members(visit, topic, "added")

    async def ask_to_drop(self, visit: Visit) -> Response:
        """Ask whether it is meant."""
        topic, user_id = await self._asked(visit), visit.asked("user_id")
        page = FormPage(
            title="Tell them no more?",
            fields=(),
            facts=(*_facts(topic), ("User id", user_id)),
            hidden={**_hidden(topic), "user_id": user_id},
            button="Drop them",
            action=DROP_MEMBER,
            up=_back(topic),
            is_dangerous=True,
        )
        return page.show(visit)

    async def drop(self, visit: Visit) -> Response:
        """Tell somebody no more."""
        topic = await self._posted(visit)
        there(await self.topics.drop(topic.service, topic.key, [visit.form.text("user_id")]))
        return _to_members(visit, topic, "dropped")

    async def _asked(self, visit: Visit) -> Topic:
        return await self._topic(visit, visit.asked("service"), visit.asked("topic"))

    async def _posted(self, visit: Visit) -> Topic:
        return await self._topic(visit, visit.form.text("service"), visit.form.text("topic"))

    async def _topic(self, visit: Visit, service: str, key: str) -> Topic:
        return there(await self.topics.get(visit.caller.may_name(service or None), key))


def _setting(visit: Visit) -> FormPage:
    if visit.caller.sees is not None:
        return _SETTING
    return replace(_SETTING, fields=(_SERVICE, *_SETTING.fields))


def _adding(topic: Topic) -> FormPage:
    return FormPage(
        title="Add members",
        fields=(
            Field(
                "user_ids",
                "User ids",
                f"One a line, {MAX_MEMBERS:,} at most; they need not be in the directory yet",
                control=Control.AREA,
            ),
        ),
        facts=_facts(topic),
        hidden=_hidden(topic),
        said=("Who is a member already stays one, and loses variables of their own.",),
        button="Add them",
        action=ADD_MEMBERS,
        up=_back(topic),
    )


def _read_members(text: str) -> Mapping[str, Member] | list[InvalidField]:
    """Return who is named, each once, or what is wrong with a line."""
    lines = [each.strip() for each in text.splitlines() if each.strip()]
    if not 0 < len(lines) <= MAX_MEMBERS:
        return [InvalidField("/user_ids", f"expected 1 to {MAX_MEMBERS:,} of them")]
    read = {each: read_strictly(MemberRequest, {"user_id": each}) for each in lines}
    members = {each.user_id: each for each in read.values() if not isinstance(each, list)}
    wrong = [
        InvalidField("/user_ids", f"{line}: {flaw.detail}")
        for line, flaws in read.items()
        if isinstance(flaws, list)
        for flaw in flaws
    ]
    return wrong or {id: Member(id) for id in members}


def _facts(topic: Topic) -> Sequence[tuple[str, str]]:
    return (("Topic", f"{topic.title} ({topic.key})"), ("Service", topic.service))


def _hidden(topic: Topic) -> Mapping[str, str]:
    return {"topic": topic.key, "service": topic.service}


def _back(topic: Topic) -> tuple[str, str]:
    return topic.title, f"{MEMBERS}?{named(topic.service, topic.key)}"


def _to_members(visit: Visit, topic: Topic, done: str) -> Response:
    return visit.to(MEMBERS, topic=topic.key, service=topic.service, done=done)
