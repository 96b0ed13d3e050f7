"""The pages of providers: how each stands, a handshake, a test, and an operator's pause."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import Response

from notifier.api.console.fields import Control, Field, FormPage, flaws_of, given
from notifier.api.console.layout import Section
from notifier.api.console.lists import Cell, ListPage
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import CHANNELS, time_words
from notifier.api.kit.checking import read_strictly
from notifier.api.kit.problems import InvalidField, not_found
from notifier.api.providers.endpoints import PauseRequest
from notifier.api.providers.testing import ProviderTestRequest, StepView, Testing, TrialView
from notifier.checkup import Part, State
from notifier.notification.model import Channel
from notifier.providers.account import Answered, ProviderStore, ProviderWord
from notifier.providers.standing import Standing, standings
from notifier.providers.testing import UntestableError
from notifier.providers.trial import Bench, Configured, Step, StepState, TrialResult, by_name

SECTION = Section(title="Providers", path="/providers", scope="admin")
_ONE = f"{SECTION.path}/{{name}}"
_LIST = ListPage(section=SECTION, nothing="No channel names a provider.")
_DONE = {
    "paused": "It is paused: nobody asks it until it is resumed.",
    "resumed": "It is asked again: its pause has ended, and its breaker is closed.",
}
_STATES: Mapping[ProviderWord, str] = {
    "closed": "Works",
    "open": "Breaker open",
    "paused": "Paused",
    "throttled": "Throttled",
}
_FINDINGS: Mapping[State, str] = {
    State.FINE: "sent",
    State.WRONG: "failed",
    State.NOT_CHECKED: "skipped",
}
_BEFORE_A_TEST = (
    "One real message goes through exactly this provider, past its breaker and a pause.",
    "It is no notification: nothing of it is kept but who sent it, and a keyed hash of to whom.",
)
_RESULTS: Mapping[TrialResult, str] = {
    "sent": "It was taken.",
    "failed": "It was not taken.",
    "unknown": "It may have been taken: the link broke on the way.",
}
_STEP_STATES: Mapping[StepState, tuple[str, str]] = {
    "passed": ("passed", "sent"),
    "failed": ("failed", "failed"),
    "not_reached": ("not reached", ""),
}
_STEPS: Mapping[Step, str] = {
    Step.DNS: "Find its host",
    Step.CONNECT: "Connect",
    Step.TLS: "Encrypt (TLS)",
    Step.GREETING: "Greet",
    Step.LOGIN: "Log in",
    Step.SENDER: "Name the sender",
    Step.RECIPIENT: "Name the recipient",
    Step.CONTENT: "Hand the message over",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsPages:
    """Shows providers, and lets operators try, pause and resume them."""

    providers: ProviderStore
    routes: Mapping[Channel, Sequence[str]]
    bench: Bench
    testing: Testing

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        acts = {"check": self.check, "test": self.test, "pause": self.pause, "resume": self.resume}
        return (
            ConsolePage(path=SECTION.path, scope=SECTION.scope, serve=self.show_all),
            ConsolePage(path=_ONE, scope=SECTION.scope, serve=self.show),
            ConsolePage(path=f"{_ONE}/test", scope=SECTION.scope, serve=self.ask_to_test),
            ConsolePage(path=f"{_ONE}/pause", scope=SECTION.scope, serve=self.ask_to_pause),
            *(
                ConsolePage(
                    path=f"{_ONE}/{act}",
                    scope=SECTION.scope,
                    serve=serve,
                    method="POST",
                    changes=act != "check",
                )
                for act, serve in acts.items()
            ),
        )

    async def show_all(self, visit: Visit) -> Response:
        """Show all of them."""
        configured = by_name(self.bench.configured())
        found = await self._standings()
        rows = [_row(each, configured.get(name, ())) for name, each in found.items()]
        return _LIST.show(visit, rows)

    async def show(self, visit: Visit) -> Response:
        """Show one."""
        standing = await self._named(visit)
        lately = [
            each for each in await self.providers.answered() if each.provider == standing.state.name
        ]
        return self._page(visit, standing, lately=lately)

    async def check(self, visit: Visit) -> Response:
        """Show one, and what comes of a handshake."""
        standing = await self._named(visit)
        return self._page(visit, standing, await self.bench.greet(standing.state.name))

    async def ask_to_test(self, visit: Visit) -> Response:
        """Show the form of a test."""
        name = (await self._named(visit)).state.name
        return self._test_form(name).show(visit)

    async def test(self, visit: Visit) -> Response:
        """Send a test, and show how far it came."""
        name, form = (await self._named(visit)).state.name, visit.form
        wanted = read_strictly(ProviderTestRequest, {**given(form, "to", "type")})
        page = self._test_form(name)
        if isinstance(wanted, list):
            return page.show(visit, form, flaws_of(wanted))
        try:
            trial = await self.testing.send(name, wanted.to, wanted.type, visit.caller.service)
        except UntestableError as error:
            return page.show(visit, form, flaws_of([InvalidField(error.field, str(error))]))
        return visit.page("provider_trial.html", _trial(name, trial))

    async def ask_to_pause(self, visit: Visit) -> Response:
        """Ask why."""
        return _pause_form((await self._named(visit)).state.name).show(visit)

    async def pause(self, visit: Visit) -> Response:
        """Keep it from being asked."""
        name = (await self._named(visit)).state.name
        wanted = read_strictly(PauseRequest, {"reason": visit.form.text("reason")})
        if isinstance(wanted, list):
            return _pause_form(name).show(visit, visit.form, flaws_of(wanted))
        await self.providers.pause(name, reason=wanted.reason)
        return visit.to(_path(name), done="paused")

    async def resume(self, visit: Visit) -> Response:
        """Let it be asked again."""
        name = (await self._named(visit)).state.name
        await self.providers.resume(name)
        return visit.to(_path(name), done="resumed")

    async def _standings(self) -> Mapping[str, Standing]:
        put_off = await self.providers.put_off()
        return standings(self.routes, await self.providers.states(), put_off)

    async def _named(self, visit: Visit) -> Standing:
        found = (await self._standings()).get(visit.named("name"))
        if found is None:
            raise not_found()
        return found

    def _configured(self, name: str) -> Sequence[Configured]:
        return by_name(self.bench.configured()).get(name, ())

    def _page(
        self,
        visit: Visit,
        standing: Standing,
        parts: Sequence[Part] = (),
        lately: Sequence[Answered] = (),
    ) -> Response:
        name = standing.state.name
        configured = self._configured(name)
        word = standing.state.word
        return visit.page(
            "provider.html",
            {
                "name": name,
                "path": _path(name),
                "up": (SECTION.title, SECTION.path),
                "state": word,
                "words": _STATES[word],
                "facts": [*map(_told, lately), *_facts(standing, configured)],
                "is_kept_away": word != "closed",
                "is_paused": word == "paused",
                "is_here": bool(configured),
                "is_testable": any(each.is_testable for each in configured),
                "parts": [_part(each) for each in parts],
                "done": _DONE.get(visit.asked("done"), ""),
            },
        )

    def _test_form(self, name: str) -> FormPage:
        testable = [each.channel for each in self._configured(name) if each.is_testable]
        if not testable:
            raise not_found()
        options = [(each.value, CHANNELS[each]) for each in testable]
        choice = (Field("type", "Channel", control=Control.CHOICE, options=options),)
        return FormPage(
            title=f"Test {name}",
            fields=(
                Field("to", "To", "An address that NOTIFIER_API__TEST_RECIPIENTS allows"),
                *(choice if len(options) > 1 else ()),
            ),
            said=_BEFORE_A_TEST,
            button="Send it",
            action=f"{_path(name)}/test",
            up=(name, _path(name)),
        )


def _pause_form(name: str) -> FormPage:
    return FormPage(
        title=f"Pause {name}?",
        fields=(Field("reason", "Why", "One line, for other operators"),),
        said=("What waits for it keeps its attempts, and goes to the next provider if any is.",),
        button="Pause it",
        action=f"{_path(name)}/pause",
        up=(name, _path(name)),
        is_dangerous=True,
    )


def _path(name: str) -> str:
    return f"{SECTION.path}/{quote(name, safe='')}"


def _row(standing: Standing, configured: Sequence[Configured]) -> Sequence[Cell]:
    state = standing.state
    return (
        Cell(text=state.name, path=_path(state.name), small=_reached(configured)),
        Cell(channels=standing.channels, small=_places(configured)),
        Cell(text=_STATES[state.word], state=state.word, small=_why(standing)),
    )


def _reached(configured: Sequence[Configured]) -> str:
    shown = configured[0].settings if configured else {}
    return ", ".join(f"{name} {value}" for name, value in shown.items())


def _places(configured: Sequence[Configured]) -> str:
    if not configured:
        return "No channel names it any more"
    return ", ".join(f"{CHANNELS[each.channel]}: {_asked(each.place)}" for each in configured)


def _asked(place: int) -> str:
    return "asked first" if place == 1 else f"asked as number {place}"


def _why(standing: Standing) -> str:
    state, put_off = standing.state, standing.put_off.count
    said = [state.reason or "", f"{put_off:,} wait for it" if put_off else ""]
    return "; ".join(each for each in said if each)


def _facts(standing: Standing, configured: Sequence[Configured]) -> Sequence[tuple[str, str]]:
    state = standing.state
    asked_again = f"in {state.closed_for_s:.0f} s" if state.closed_for_s else ""
    facts = (
        ("Asked", _places(configured)),
        *(configured[0].settings.items() if configured else ()),
        ("Why", state.reason or ""),
        ("Breaker open since", time_words(state.opened_at) if state.opened_at else ""),
        ("Asked again", "" if state.is_paused else asked_again),
        ("Trips in a row", str(state.trips) if state.trips else ""),
        ("Waiting for it", f"{standing.put_off.count:,}" if standing.put_off.count else ""),
    )
    return [(name, value) for name, value in facts if value]


def _told(it: Answered) -> tuple[str, str]:
    mean = "" if it.mean_s is None else f", {it.mean_s * 1_000:,.0f} ms each"
    asked = it.sent + it.failed
    words = f"{it.sent:,} of {asked:,} taken ({it.sent / asked:.1%}){mean}"
    return f"Last {it.within_s // 60} minutes", words


def _part(it: Part) -> Mapping[str, str]:
    state, detail, advice = it.finding
    return {
        "name": it.name,
        "words": state,
        "state": _FINDINGS[state],
        "detail": detail,
        "advice": advice,
    }


def _trial(name: str, it: TrialView) -> Mapping[str, object]:
    facts = (
        ("Code", it.code or ""),
        ("What was said", it.detail or ""),
        ("What to do", it.advice or ""),
        ("The provider's id", it.provider_id or ""),
        ("It took", f"{it.took_ms:,} ms"),
    )
    return {
        "name": name,
        "path": _path(name),
        "result": it.result,
        "words": _RESULTS[it.result],
        "steps": [_step(each) for each in it.steps],
        "facts": [(label, value) for label, value in facts if value],
    }


def _step(it: StepView) -> Mapping[str, str]:
    state, colour = _STEP_STATES[it.state]
    return {"words": _STEPS[it.name], "state": state, "colour": colour}
