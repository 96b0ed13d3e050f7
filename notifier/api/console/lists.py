"""Lists of the console: rows of up to three cells, narrowed by fields, a page at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TypeVar
from urllib.parse import urlencode

from starlette.responses import Response

from notifier.api.console.fields import Field, Flaws
from notifier.api.console.forms import Form
from notifier.api.console.layout import Section
from notifier.api.console.visits import Visit
from notifier.api.console.words import CHANNELS
from notifier.notification.model import Channel

Item = TypeVar("Item")


def cut(found: Sequence[Item], most: int) -> tuple[Sequence[Item], Item | None]:
    """Return what to show of `most` and one more, and the last of it where more follow."""
    shown = found[:most]
    return shown, shown[-1] if len(found) > most else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where one can go; the path is below the console."""

    words: str
    path: str
    about: str = ""
    """What of, for those who hear it among others of its name."""
    is_first: bool = False
    is_dangerous: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What stands in a row."""

    text: str = ""
    small: str = ""
    path: str = ""
    """Where the text leads."""
    channels: Sequence[Channel] = ()
    state: str = ""
    link: Link | None = None

    def shown(self) -> Mapping[str, object]:
        """Return it as templates show it."""
        badges = [(each.value, CHANNELS[each]) for each in self.channels]
        return {
            "text": self.text,
            "small": self.small,
            "path": self.path,
            "badges": badges,
            "state": self.state,
            "link": asdict(self.link) if self.link else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """A page of a list."""

    section: Section
    fields: Sequence[Field] = ()
    """What it is narrowed by; each is part of the query."""
    links: Sequence[Link] = ()
    done: Mapping[str, str] = field(default_factory=dict)
    """What was done, by the `done` of the query."""
    nothing: str
    """What to say of an empty list."""
    not_found: str = "Nothing matches this."

    def asked(self, visit: Visit) -> Form:
        """Return what it is narrowed by."""
        query = visit.request.query_params
        return Form({each.name: [query.get(each.name, "")] for each in self.fields})

    def show(
        self,
        visit: Visit,
        rows: Sequence[Sequence[Cell]],
        *,
        after: str = "",
        flaws: Flaws | None = None,
    ) -> Response:
        """Show a page of it; the next begins `after` this place."""
        asked = self.asked(visit)
        given = {each.name: text for each in self.fields if (text := asked.text(each.name))}
        return visit.page(
            "list.html",
            {
                "title": self.section.title,
                "path": self.section.path,
                "fields": [each.shown(asked, flaws or {}) for each in self.fields],
                "flaws": flaws or {},
                "is_narrowed": bool(given),
                "links": [asdict(each) for each in self.links],
                "rows": [[cell.shown() for cell in row] for row in rows],
                "next": f"?{urlencode({**given, 'after': after})}" if after else "",
                "done": self.done.get(visit.asked("done"), ""),
                "nothing": self.not_found if given else self.nothing,
            },
            status=422 if flaws else 200,
        )
