"""The pages of operators: who may sign in, as what, and links to set a password by."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from starlette.responses import Response

from notifier.access.invitations import HOLDS_S, Invitations
from notifier.access.keys import is_service_name
from notifier.access.operators import GRANTS, Operator, OperatorStore, Role, is_login
from notifier.access.sessions import SessionStore
from notifier.api.console.fields import Control, Field, Flaws, FormPage, filled
from notifier.api.console.forms import Form
from notifier.api.console.layout import CONSOLE, Section
from notifier.api.console.lists import Cell, Link, ListPage
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.welcoming import WELCOME
from notifier.api.console.words import counted, time_words
from notifier.api.kit.access import actor_of
from notifier.api.kit.problems import FORBIDDEN, ProblemError, not_found
from notifier.clock import Clock

SECTION = Section(title="Operators", path="/operators", scope="admin")
_NEW: Final = f"{SECTION.path}/new"
_ONE: Final = f"{SECTION.path}/{{login}}"
_LIST = ListPage(
    section=SECTION,
    links=(Link(words="New operator", path=_NEW, is_first=True),),
    nothing="There are no operators yet: whoever comes in does so with an API key.",
    done={
        "assigned": "It holds from their next page on.",
        "disable": "They are signed out, and not let in any more.",
        "enable": "They are let in again.",
        "end": "They are signed out everywhere.",
        "remove": "They are signed out and removed. What they did stays in the audit log.",
    },
)
_ROLE_FIELDS: Final = (
    Field(
        "role",
        "Role",
        control=Control.RADIOS,
        options=[(each.value, f"{each}: {GRANTS[each].words}") for each in Role],
    ),
    Field("service", "Service", "What they make belongs to it, and they see what is of it"),
    Field("every", "They see every service", control=Control.SWITCH),
)
_ADDING = FormPage(
    title="New operator",
    fields=(
        Field("login", "Login", "Small letters and digits, and . _ - within; such as anna"),
        *_ROLE_FIELDS,
    ),
    said=("On the next page is a link by which they set their password.",),
    button="Add them",
    action=_NEW,
    up=(SECTION.title, SECTION.path),
)
_OWN = "Nobody does this to themselves: another admin does, or `notifier operators`."
_FIRST = filled(role=Role.VIEWER.value, every="yes")

Move: TypeAlias = Callable[[str], Awaitable[bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """Something to do with an operator that is asked about first."""

    name: str
    title: str
    means: str
    button: str
    is_dangerous: bool = True


_STEPS: Final = (
    _Step(
        name="disable",
        title="Let {login} in no longer?",
        means="They are signed out at once. They can be let in again later.",
        button="Let them in no longer",
    ),
    _Step(
        name="enable",
        title="Let {login} in again?",
        means="They sign in as before.",
        button="Let them in",
        is_dangerous=False,
    ),
    _Step(
        name="end",
        title="Sign {login} out everywhere?",
        means="Each of their sessions ends at once. They can sign in again.",
        button="Sign them out",
    ),
    _Step(
        name="remove",
        title="Remove {login}?",
        means="They are signed out at once. What they did stays in the audit log, by this name: "
        "do not give it to somebody else.",
        button="Remove them",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorPages:
    """Shows operators, adds and changes them."""

    operators: OperatorStore
    sessions: SessionStore
    invitations: Invitations
    clock: Clock

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        page = partial(ConsolePage, scope=SECTION.scope)
        moves: Mapping[str, Move] = {
            "disable": self.operators.disable,
            "enable": self.operators.enable,
            "end": self._sign_out,
            "remove": self.operators.remove,
        }
        return (
            page(path=SECTION.path, serve=self.show),
            page(path=_NEW, serve=self.offer),
            page(path=_NEW, serve=self.add, method="POST"),
            page(path=_ONE, serve=self.show_one),
            page(path=f"{_ONE}/change", serve=self.offer_change),
            page(path=f"{_ONE}/change", serve=self.change, method="POST"),
            page(path=f"{_ONE}/invite", serve=self.invite, method="POST"),
            *(self._asking(each) for each in _STEPS),
            *(self._moving(each, moves[each.name]) for each in _STEPS),
        )

    async def show(self, visit: Visit) -> Response:
        """Show all of them."""
        return _LIST.show(visit, [_row(each) for each in await self.operators.list()])

    async def offer(self, visit: Visit) -> Response:
        """Show an empty form."""
        return _ADDING.show(visit, _FIRST)

    async def add(self, visit: Visit) -> Response:
        """Add one, and show the link that is for them."""
        form = visit.form
        login = form.text("login")
        flaws = dict(_flaws(form))
        if not is_login(login):
            flaws["login"] = ["expected small letters and digits, and . _ - within"]
        if flaws:
            return _ADDING.show(visit, form, flaws)
        operator = Operator(
            login=login,
            role=Role(form.text("role")),
            service=form.text("service"),
            sees_every_service=bool(form.text("every")),
            created_at=self.clock.now(),
        )
        if not await self.operators.add(operator):
            return _ADDING.show(visit, form, {"login": ["somebody is called that already"]})
        return await self.invite(visit, login)

    async def show_one(self, visit: Visit) -> Response:
        """Show one, and where they are signed in."""
        it = await self._found(visit)
        sessions = await self.sessions.list(login=it.login)
        return visit.page(
            "operator.html",
            {
                "it": {"login": it.login, "is_disabled": it.disabled_at is not None},
                "facts": _facts(it, len(sessions)),
                "actor": actor_of(it.login),
                "is_own": it.login == visit.caller.login,
                "has_sessions": bool(sessions),
                "sets": "another password" if it.password else "a password",
            },
        )

    async def offer_change(self, visit: Visit) -> Response:
        """Show the form, as they are."""
        it = await self._found(visit)
        every = "yes" if it.sees_every_service else ""
        form = filled(role=it.role.value, service=it.service, every=every)
        return _changing(it).show(visit, form)

    async def change(self, visit: Visit) -> Response:
        """Give one another role or service."""
        it, form = await self._found(visit), visit.form
        flaws = dict(_flaws(form))
        if it.login == visit.caller.login and form.text("role") != it.role:
            flaws["role"] = ["nobody changes their own role: another admin does"]
        if flaws:
            return _changing(it).show(visit, form, flaws)
        every = bool(form.text("every"))
        await self.operators.assign(
            it.login, Role(form.text("role")), form.text("service"), sees_every_service=every
        )
        return visit.to(SECTION.path, done="assigned")

    async def invite(self, visit: Visit, login: str | None = None) -> Response:
        """Show a link by which one sets a password."""
        it = await self._found(visit, login)
        url = visit.request.url
        root: str = visit.request.scope.get("root_path", "")
        link = f"{url.scheme}://{url.netloc}{root}{CONSOLE}{WELCOME}"
        token = self.invitations.token(it, self.clock.now())
        return visit.page(
            "operator_invited.html",
            {"login": it.login, "link": f"{link}?token={token}", "hours": HOLDS_S // 3_600},
            headers={"Cache-Control": "no-store"},
        )

    def _asking(self, step: _Step) -> ConsolePage:
        async def ask(visit: Visit) -> Response:
            it = await self._found(visit)
            page = FormPage(
                title=step.title.format(login=it.login),
                fields=(),
                facts=_facts(it),
                said=(step.means,),
                button=step.button,
                action=f"{_ONE}/{step.name}".format(login=it.login),
                up=(it.login, _ONE.format(login=it.login)),
                is_dangerous=step.is_dangerous,
            )
            return page.show(visit)

        return ConsolePage(path=f"{_ONE}/{step.name}", scope=SECTION.scope, serve=ask)

    def _moving(self, step: _Step, move: Move) -> ConsolePage:
        async def serve(visit: Visit) -> Response:
            it = await self._found(visit)
            if it.login == visit.caller.login and step.is_dangerous:
                raise ProblemError(FORBIDDEN, _OWN)
            await move(it.login)
            return visit.to(SECTION.path, done=step.name)

        path = f"{_ONE}/{step.name}"
        return ConsolePage(path=path, scope=SECTION.scope, serve=serve, method="POST")

    async def _sign_out(self, login: str) -> bool:
        return await self.sessions.end_all(login=login) > 0

    async def _found(self, visit: Visit, login: str | None = None) -> Operator:
        operator = await self.operators.find(login or visit.named("login"))
        if operator is None:
            raise not_found()
        return operator


def _changing(it: Operator) -> FormPage:
    return FormPage(
        title=f"Change what {it.login} may",
        fields=_ROLE_FIELDS,
        button="Change it",
        action=f"{_ONE}/change".format(login=it.login),
        up=(it.login, _ONE.format(login=it.login)),
    )


def _flaws(form: Form) -> Flaws:
    found: dict[str, Sequence[str]] = {}
    if form.text("role") not in tuple(Role):
        found["role"] = [f"expected one of {', '.join(Role)}"]
    if not is_service_name(form.text("service")):
        found["service"] = ["expected 1 to 100 printable characters"]
    return found


def _facts(it: Operator, sessions: int | None = None) -> Sequence[tuple[str, str]]:
    signed_in = () if sessions is None else (("Signed in", counted(sessions, "time")),)
    return (
        ("Role", f"{it.role}: {it.grant.words}"),
        ("Service", it.service),
        ("Sees", "every service" if it.sees is None else it.service),
        ("State", _state(it)),
        ("Added", time_words(it.created_at)),
        *signed_in,
    )


def _state(it: Operator) -> str:
    if it.disabled_at is not None:
        return "disabled"
    if it.password is None:
        return "signs in elsewhere" if it.subject else "invited"
    return "active"


def _row(it: Operator) -> Sequence[Cell]:
    states = {"active": "active", "signs in elsewhere": "active", "invited": "pending"}
    state = _state(it)
    return (
        Cell(text=it.login, path=_ONE.format(login=it.login), small=it.role.value),
        Cell(text="every service" if it.sees is None else it.service),
        Cell(text=state, state=states.get(state, "cancelled")),
    )
