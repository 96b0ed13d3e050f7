"""The pages of API keys: whose there are, a new one, which is shown once, and revoking one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from starlette.responses import Response

from notifier.access.issuing import MAX_LIFETIME_DAYS, Issuer
from notifier.access.keys import SCOPES, ApiKey, KeyStore, is_service_name
from notifier.api.console.fields import Control, Field, Flaws, FormPage, filled
from notifier.api.console.forms import Form
from notifier.api.console.layout import Section
from notifier.api.console.lists import Cell, Link, ListPage
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import time_words
from notifier.api.kit.problems import not_found

SECTION = Section(title="API keys", path="/keys", scope="admin")
_NEW = f"{SECTION.path}/new"
_REVOKE = f"{SECTION.path}/{{id}}/revoke"
_PER_PAGE = 50
_ALLOWS: Mapping[str, str] = {
    "send": "accept notifications, cancel and replay them, change suppressions",
    "read": "notifications, inboxes, suppressions",
    "templates": "templates",
    "recipients": "people, what they want, categories and topics",
    "broadcasts": "broadcasts",
    "schedules": "schedules",
    "events": "bring events",
    "rules": "what comes of events",
    "admin": "all of these, for every service",
}
_LIST = ListPage(
    section=SECTION,
    fields=(Field("service", "Service"),),
    links=(Link(words="New key", path=_NEW, is_first=True),),
    nothing="There are no keys yet.",
    not_found="This service has no keys.",
    done={"revoked": "The key is revoked: within seconds it opens nothing any more."},
)
_ISSUING = FormPage(
    title="New API key",
    fields=(
        Field("service", "Service", "What sends with it; there is nothing else to set up"),
        Field(
            "scope",
            "Scopes",
            control=Control.CHECKS,
            options=[(each, f"{each}: {_ALLOWS[each]}") for each in SCOPES],
        ),
        Field("days", "Days until it expires", "Blank: when it is revoked"),
    ),
    said=("The key is shown once, on the page after this one. Only its digest is kept.",),
    button="Make it",
    action=_NEW,
    up=(SECTION.title, SECTION.path),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPages:
    """Shows API keys, makes and revokes them."""

    keys: KeyStore
    issuer: Issuer

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        scope = SECTION.scope
        return (
            ConsolePage(path=SECTION.path, scope=scope, serve=self.show),
            ConsolePage(path=_NEW, scope=scope, serve=self.offer),
            ConsolePage(path=_NEW, scope=scope, serve=self.issue, method="POST"),
            ConsolePage(path=_REVOKE, scope=scope, serve=self.ask_to_revoke),
            ConsolePage(path=_REVOKE, scope=scope, serve=self.revoke, method="POST"),
        )

    async def show(self, visit: Visit) -> Response:
        """Show a page of keys, the newest first."""
        service = visit.asked("service")
        found = [each for each in reversed(await self.keys.list()) if service in ("", each.service)]
        after = visit.asked("after")
        start = next((at + 1 for at, each in enumerate(found) if each.id == after), 0)
        shown = found[start : start + _PER_PAGE]
        goes_on = shown[-1].id if start + _PER_PAGE < len(found) else ""
        return _LIST.show(visit, [_row(each) for each in shown], after=goes_on)

    async def offer(self, visit: Visit) -> Response:
        """Show an empty form."""
        return _ISSUING.show(visit, filled(scope=("send", "read")))

    async def issue(self, visit: Visit) -> Response:
        """Make a key, and show it this once."""
        form = visit.form
        if flaws := _flaws(form):
            return _ISSUING.show(visit, form, flaws)
        days, scopes = form.text("days"), form.texts("scope")
        lifetime = timedelta(days=int(days)) if days else None
        key = await self.issuer.issue(form.text("service"), scopes, lifetime)
        return visit.page(
            "key_issued.html",
            {
                "key": key.text,
                "id": key.id,
                "service": form.text("service"),
                "scopes": ", ".join(sorted(scopes)),
            },
            headers={"Cache-Control": "no-store"},
        )

    async def ask_to_revoke(self, visit: Visit) -> Response:
        """Ask whether it is meant, and say what it means."""
        key = await self.keys.find(visit.named("id"))
        if key is None:
            raise not_found()
        return _revoking(key, is_own=key.id == visit.caller.key_id).show(visit)

    async def revoke(self, visit: Visit) -> Response:
        """Revoke one for good."""
        if not await self.keys.revoke(visit.named("id")):
            raise not_found()
        return visit.to(SECTION.path, done="revoked")


def _flaws(form: Form) -> Flaws:
    found: dict[str, Sequence[str]] = {}
    if not is_service_name(form.text("service")):
        found["service"] = ["expected 1 to 100 printable characters"]
    scopes = form.texts("scope")
    if not scopes:
        found["scope"] = ["at least one is needed"]
    elif not set(scopes) <= set(SCOPES):
        found["scope"] = [f"expected some of {', '.join(SCOPES)}"]
    days = form.text("days")
    is_number = days.isascii() and days.isdecimal() and len(days) <= len(str(MAX_LIFETIME_DAYS))
    if days and not (is_number and 1 <= int(days) <= MAX_LIFETIME_DAYS):
        found["days"] = [f"expected a number from 1 to {MAX_LIFETIME_DAYS}, or nothing"]
    return found


def _revoking(key: ApiKey, *, is_own: bool) -> FormPage:
    own = "You are signed in with this key: you will be signed out." if is_own else ""
    means = (
        "Whatever uses it is answered 401 within seconds, and sessions of the console that began "
        "with it end. This cannot be undone: make another key instead."
    )
    return FormPage(
        title=f"Revoke the key {key.id}?",
        fields=(),
        facts=(
            ("Service", key.service),
            ("Scopes", ", ".join(sorted(key.scopes))),
            ("Made", time_words(key.created_at)),
            ("State", _state(key)),
        ),
        said=tuple(words for words in (means, own) if words),
        button="Revoke it",
        action=_REVOKE.format(id=key.id),
        up=(SECTION.title, SECTION.path),
        is_dangerous=True,
    )


def _row(key: ApiKey) -> Sequence[Cell]:
    revoking = Link(words="Revoke", path=_REVOKE.format(id=key.id), about=key.id)
    return (
        Cell(text=key.service, path=f"/audit?actor={key.id}", small=f"{key.id} · its changes"),
        Cell(
            text=", ".join(sorted(key.scopes)),
            small=f"made {time_words(key.created_at)}",
        ),
        Cell(
            text=_state(key),
            state="active" if key.is_usable else "cancelled",
            small=_until(key),
            link=None if key.revoked_at else revoking,
        ),
    )


def _state(key: ApiKey) -> str:
    if key.revoked_at:
        return "revoked"
    return "usable" if key.is_usable else "expired"


def _until(key: ApiKey) -> str:
    if key.revoked_at:
        return f"at {time_words(key.revoked_at)}"
    return f"until {time_words(key.expires_at)}" if key.expires_at else ""
