"""The pages of whoever is signed in: what they may, and where they are signed in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from notifier.access.operators import Operator, OperatorStore
from notifier.access.passwords import Passwords
from notifier.access.sessions import Session, SessionStore
from notifier.access.throttling import Attempt, Throttle
from notifier.api.console.fields import Control, Field, FormPage
from notifier.api.console.new_password import NEW, NEW_PASSWORD, flaws_of_new
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import time_words
from notifier.api.kit.problems import not_found

ACCOUNT: Final = "/account"
_PASSWORD: Final = f"{ACCOUNT}/password"
_OTHERS: Final = f"{ACCOUNT}/sessions/end"
_ONE: Final = f"{ACCOUNT}/sessions/{{id}}/end"
_DONE = {
    "password": "Your password is set. You are signed out everywhere else.",
    "ended": "That session is ended.",
    "others": "You are signed out everywhere else.",
}
_OLD: Final = "old"
# Each says that it is those below it, too.
_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_CHANGING = FormPage(
    title="Change your password",
    fields=(
        Field(_OLD, "Your password now", control=Control.SECRET, fills="current-password"),
        *NEW_PASSWORD,
    ),
    said=("You stay signed in here, and are signed out everywhere else.",),
    button="Change it",
    action=_PASSWORD,
    up=("You", ACCOUNT),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPages:
    """Shows people who they are here, and lets them look after it."""

    operators: OperatorStore
    sessions: SessionStore
    passwords: Passwords
    throttle: Throttle

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        return (
            ConsolePage(path=ACCOUNT, scope=None, serve=self.show),
            ConsolePage(path=_PASSWORD, scope=None, serve=self.offer),
            ConsolePage(path=_PASSWORD, scope=None, serve=self.change, method="POST"),
            ConsolePage(path=_OTHERS, scope=None, serve=self.end_others, method="POST"),
            ConsolePage(path=_ONE, scope=None, serve=self.end, method="POST"),
        )

    async def show(self, visit: Visit) -> Response:
        """Show who is signed in, and where."""
        caller = visit.caller
        operator = await self.operators.find(caller.login) if caller.login else None
        found = await self._sessions(visit)
        return visit.page(
            "account.html",
            {
                "name": caller.login or f"API key {caller.key_id}",
                "facts": _facts(visit, operator),
                "has_password": operator is not None and operator.password is not None,
                "sessions": [session_row(each, own=visit.session.id) for each in found],
                "done": _DONE.get(visit.asked("done"), ""),
            },
        )

    async def offer(self, visit: Visit) -> Response:
        """Ask for both passwords."""
        await self._operator(visit)
        return _CHANGING.show(visit)

    async def change(self, visit: Visit) -> Response:
        """Set another password."""
        operator, form = await self._operator(visit), visit.form
        if not await self._knows_it(visit, operator):
            return _CHANGING.show(visit, flaws={_OLD: ["this is not your password"]})
        if flaws := flaws_of_new(form, operator.login):
            return _CHANGING.show(visit, flaws=flaws)
        kept = await self.passwords.hashed(form.secret(NEW))
        await self.operators.set_password(operator.login, kept, keeps=visit.session.id)
        return visit.to(ACCOUNT, done="password")

    async def end(self, visit: Visit) -> Response:
        """End one session of theirs."""
        theirs = {each.id for each in await self._sessions(visit)}
        if visit.named("id") not in theirs:
            raise not_found()
        await self.sessions.end(visit.named("id"))
        return visit.to(ACCOUNT, done="ended")

    async def end_others(self, visit: Visit) -> Response:
        """End all sessions of theirs but this."""
        caller, keeps = visit.caller, visit.session.id
        await self.sessions.end_all(login=caller.login, key_id=caller.key_id, keeps=keeps)
        return visit.to(ACCOUNT, done="others")

    async def _sessions(self, visit: Visit) -> Sequence[Session]:
        return await self.sessions.list(login=visit.caller.login, key_id=visit.caller.key_id)

    async def _operator(self, visit: Visit) -> Operator:
        """Return who has a password to change."""
        operator = await self.operators.find(visit.caller.login) if visit.caller.login else None
        if operator is None or operator.password is None:
            raise not_found()
        return operator

    async def _knows_it(self, visit: Visit, operator: Operator) -> bool:
        """Whether they know their password; a session alone cannot be used to guess it."""
        attempt = Attempt(login=operator.login, network="", device=visit.session.id)
        if not await self.throttle.admits(attempt):
            return False
        if await self.passwords.matches(visit.form.secret(_OLD), operator.password):
            await self.throttle.forgive(attempt)
            return True
        return False


def session_row(it: Session, *, own: str = "") -> dict[str, object]:
    """Return what pages say of a session."""
    return {
        "id": it.id,
        "agent": agent_words(it.agent),
        "source": it.source,
        "began": time_words(it.began_at),
        "used": time_words(it.used_at),
        "is_own": it.id == own,
    }


def agent_words(agent: str) -> str:
    """Return which browser it is, and on what, as far as `User-Agent` tells."""
    browser = next((name for token, name in _BROWSERS if token in agent), "")
    system = next((name for token, name in _SYSTEMS if token in agent), "")
    if browser and system:
        return f"{browser} on {system}"
    return browser or agent or "something that does not say what it is"


def _facts(visit: Visit, operator: Operator | None) -> Sequence[tuple[str, str]]:
    caller = visit.caller
    sees = "every service" if caller.sees is None else caller.service
    if operator is None:
        return (("Scopes", ", ".join(sorted(caller.scopes))), ("Sees", sees))
    set_at = operator.password_set_at
    return (
        ("Role", f"{operator.role}: {operator.grant.words}"),
        ("Sees", sees),
        ("Password", f"set {time_words(set_at)}" if set_at else "signs in elsewhere"),
    )
