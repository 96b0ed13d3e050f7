"""The pages of topics: which there are, and who is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from starlette.responses import Response

from notifier.api.console.fields import Field
from notifier.api.console.layout import Section
from notifier.api.console.lists import Cell, Link, ListPage, cut
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import counted, time_words
from notifier.api.kit.problems import not_found, there
from notifier.api.kit.querying import checked_query, named_place
from notifier.api.topics.shapes import MembersQuery, TopicsQuery
from notifier.audience.topic import Member, Topic, TopicStore

SECTION = Section(title="Topics", path="/topics", scope="recipients")
MEMBERS = f"{SECTION.path}/members"
TOPIC_SET = f"{SECTION.path}/set"
TOPIC_REMOVE = f"{SECTION.path}/remove"
ADD_MEMBERS = f"{MEMBERS}/add"
DROP_MEMBER = f"{MEMBERS}/drop"
_PER_PAGE = 50
_LIST = ListPage(
    section=SECTION,
    links=(Link(words="Add a topic", path=TOPIC_SET, is_first=True),),
    nothing="No topics yet. Add one, or let services do so by the API.",
    done={"set": "It is saved.", "removed": "It is removed, with its members."},
)
_DONE = {
    "added": "They are told about it from now on.",
    "dropped": "They are told about it no more.",
}


@dataclass(frozen=True, slots=True)
class TopicPages:
    """Shows topics and their members."""

    topics: TopicStore

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        return (
            ConsolePage(path=SECTION.path, scope=SECTION.scope, serve=self.show),
            ConsolePage(path=MEMBERS, scope=SECTION.scope, serve=self.show_members),
        )

    async def show(self, visit: Visit) -> Response:
        """Show a page of topics."""
        after = {"after": place} if (place := visit.asked("after")) else {}
        query = checked_query(TopicsQuery, after.items())
        if isinstance(query, list):
            raise not_found()
        sees = visit.caller.sees
        found = await self.topics.list(service=sees, limit=_PER_PAGE + 1, after=query.after)
        shown, last = cut(found, _PER_PAGE)
        goes_on = named_place(last) if last else ""
        return _LIST.show(visit, [_row(each, names=sees is None) for each in shown], after=goes_on)

    async def show_members(self, visit: Visit) -> Response:
        """Show a page of those who are told about one."""
        asked = {name: text for name in ("service", "after") if (text := visit.asked(name))}
        query = checked_query(MembersQuery, asked.items())
        if isinstance(query, list):
            raise not_found()
        service, key = visit.caller.may_name(query.service), visit.asked("topic")
        topic = there(await self.topics.get(service, key))
        members = counted(await self.topics.count(service, key), "member")
        found = await self.topics.members(service, key, limit=_PER_PAGE + 1, after=query.after)
        shown, last = cut(found, _PER_PAGE)
        page = ListPage(
            section=Section(title=f"{topic.title}: {members}", path=MEMBERS, scope=SECTION.scope),
            fields=(Field("topic", "Topic"), Field("service", "Service")),
            links=_links(topic),
            done=_DONE,
            nothing="Nobody is told about it.",
            not_found="Nobody is told about it.",
        )
        goes_on = last.user_id if last else ""
        return page.show(visit, [_member(each, service, key) for each in shown], after=goes_on)


def named(service: str, key: str) -> str:
    """Return the query that names a topic."""
    return urlencode({"topic": key, "service": service})


def _links(topic: Topic) -> Sequence[Link]:
    of = named(topic.service, topic.key)
    return (
        Link(words=SECTION.title, path=SECTION.path),
        Link(words="Add members", path=f"{ADD_MEMBERS}?{of}", is_first=True),
        Link(words="Change its title", path=f"{TOPIC_SET}?{of}"),
        Link(words="Remove", path=f"{TOPIC_REMOVE}?{of}", is_dangerous=True),
    )


def _row(topic: Topic, *, names: bool) -> Sequence[Cell]:
    path = f"{MEMBERS}?{named(topic.service, topic.key)}"
    return (
        Cell(text=topic.key, path=path, small=topic.service if names else ""),
        Cell(text=topic.title),
        Cell(small=f"since {time_words(topic.updated_at)}"),
    )


def _member(member: Member, service: str, key: str) -> Sequence[Cell]:
    dropping = f"{DROP_MEMBER}?{named(service, key)}&{urlencode({'user_id': member.user_id})}"
    path = f"/people/{quote(member.user_id, safe='')}?{urlencode({'service': service})}"
    return (
        Cell(text=member.user_id, path=path),
        Cell(text=", ".join(sorted(member.properties or {})) or "no variables of their own"),
        Cell(link=Link(words="Drop", path=dropping, about=member.user_id)),
    )
