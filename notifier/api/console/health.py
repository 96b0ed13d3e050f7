"""The page of health: every part that notifier needs, how it is, and what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from notifier.api.console.layout import Section
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import length_words
from notifier.checkup import Examine, Part, State

SECTION = Section(title="Health", path="/health", scope="admin")
_PARTS = f"{SECTION.path}/parts"
_WORDS: Mapping[State, str] = {
    State.FINE: "fine",
    State.WRONG: "wrong",
    State.NOT_CHECKED: "unchecked",
}


@dataclass(frozen=True, slots=True)
class HealthPages:
    """Shows a page at once, and then what looking at everything finds."""

    examine: Examine

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        return (
            ConsolePage(path=SECTION.path, scope=SECTION.scope, serve=self.show),
            ConsolePage(path=_PARTS, scope=SECTION.scope, serve=self.show_parts),
        )

    async def show(self, visit: Visit) -> Response:
        """Show the page; its script asks for the parts."""
        return visit.page("health.html", {"parts": None})

    async def show_parts(self, visit: Visit) -> Response:
        """Look at every part, which takes as long as the slowest of them, and show them."""
        parts = await self.examine()
        name = "health_parts.html" if visit.is_partial else "health.html"
        wrong = [each for each in parts if each.finding.state is State.WRONG]
        rest = [each for each in parts if each.finding.state is not State.WRONG]
        return visit.page(
            name, {"parts": [_viewed(each) for each in (*wrong, *rest)], "wrong": len(wrong)}
        )


def _viewed(part: Part) -> Mapping[str, object]:
    return {
        "name": part.name,
        "state": part.finding.state.value,
        "word": _WORDS[part.finding.state],
        "detail": part.finding.detail,
        "advice": part.finding.advice,
        "took": length_words(part.took_s),
    }
