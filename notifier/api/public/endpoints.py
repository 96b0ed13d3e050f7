"""Unsubscribing by a link (RFC 8058), and choosing what one gets.

A link is the authority: it is sealed, names its addressee, and whoever has it got it in a message.
There is no login and no cookie, so that no other page can make a browser act for anybody: that is
why a form here needs no token of its own. GET and HEAD change nothing however often, since mail
scanners follow every link of a mail.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs

import structlog
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from notifier.api.kit.body import read_body
from notifier.api.kit.calls import Call
from notifier.api.kit.config import ApiConfig
from notifier.api.kit.door import network_of
from notifier.api.kit.headers import header
from notifier.api.kit.middleware import PUBLIC
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import (
    INVALID,
    RATE_LIMITED,
    InvalidField,
    ProblemError,
    invalid,
)
from notifier.api.kit.windows import FixedWindow
from notifier.api.public.page import Document, Offer, View, choices_page, unknown_page
from notifier.api.public.words import Words, words_for
from notifier.audience.category import Categories, Category, Declared
from notifier.audience.choice_change import Source
from notifier.audience.choices import ANY, Place
from notifier.audience.choosing import Choosing, Chosen
from notifier.audience.links import ONE_CLICK, Chooser, Links
from notifier.audience.preference import chosen
from notifier.clock import Clock
from notifier.content.brand import BrandStore
from notifier.notification.model import Channel

log = structlog.get_logger(__name__)


_TAG = "For recipients"
_PATH = f"{PUBLIC}{{token}}"
_MAX_BODY_BYTES = 65_536
_BODY_TIMEOUT_S = 10.0
_MAX_FIELDS = 1_000
_UNSUBSCRIBED = "You are unsubscribed.\n"
_PAGE: Mapping[int, Reply] = {
    200: Reply(
        description="The page; it says so where the link is none", media_types=("text/html",)
    )
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a form, or a mail program, posted."""

    action: str
    on: frozenset[str] = frozenset()
    shown: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Situation:
    """Somebody with a link: what their service declared, and what they chose."""

    chooser: Chooser
    declared: Declared
    chosen: Chosen
    channels: frozenset[Channel]
    """Those that are on."""

    @property
    def category(self) -> Category:
        """What their link is about, declared or not."""
        key, service = self.chooser.category, self.chooser.service
        return self.declared.by_key.get(key) or Category(service=service, key=key)

    def offers(self, locale: str) -> Sequence[Offer]:
        """Return what can be switched off, by its title."""
        known = {**self.declared.by_key, self.chooser.category: self.category}
        found = [
            Offer(each.key, each.title(locale), self._reached(each))
            for each in known.values()
            if each.can_switch_off
        ]
        return sorted(found, key=lambda offer: (offer.title, offer.key))

    def _reached(self, category: Category) -> Sequence[tuple[Channel, bool]]:
        theirs = {*self.chosen.channels, self.chooser.channel}
        return [
            (channel, chosen(category, channel, self.chosen.choices)[0])
            for channel in Channel
            if channel in theirs and channel in self.channels
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How often one network may ask in a minute: with links of ours, and with what are none.

    Mail providers unsubscribe for many people from few addresses.
    """

    asked: FixedWindow
    guessed: FixedWindow

    @classmethod
    def of(cls, config: ApiConfig, clock: Clock) -> "Limits":
        """Return those of the API's settings."""
        return cls(
            asked=FixedWindow(config.public_requests_per_minute, clock),
            guessed=FixedWindow(config.failed_logins_per_minute, clock),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoosingEndpoints:
    """Serves whoever has a link; `links` None: there are none that lead here."""

    links: Links | None
    choosing: Choosing
    categories: Categories
    brands: BrandStore
    channels: frozenset[Channel]
    limits: Limits

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._showing(), self._acting())

    async def show(self, call: Call[None, None]) -> Response:
        """Show the page; nothing is changed."""
        chooser = self._opened(call)
        if chooser is None:
            return _shown(unknown_page(_words(call, None)))
        return await self._page(call, await self._situation(chooser), "")

    async def act(self, call: Call[None, None]) -> Response:
        """Do what a mail program or a form of the page asks for."""
        chooser = self._opened(call)
        body = await read_body(call.request, max_bytes=_MAX_BODY_BYTES, timeout_s=_BODY_TIMEOUT_S)
        is_one_click = asks_for_one_click(body)
        if chooser is None:
            return _done() if is_one_click else _shown(unknown_page(_words(call, None)))
        situation = await self._situation(chooser)
        wish = Wish("off") if is_one_click else wish_of(body)
        source = Source.ONE_CLICK if is_one_click else Source.PAGE
        await self._choose(situation, wish, source)
        if is_one_click:
            return _done()
        return await self._page(call, await self._situation(chooser), wish.action)

    async def _choose(self, situation: Situation, wish: Wish, source: Source) -> None:
        changes = changes_for(wish, situation)
        if not changes:
            return
        chooser = situation.chooser
        new = await self.choosing.choose(chooser, changes, source)
        log.info(
            "choices.changed",
            service=chooser.service,
            category=chooser.category,
            type=chooser.channel,
            source=source,
            action=wish.action,
            changed=new,
        )

    def _opened(self, call: Call[None, None]) -> Chooser | None:
        network = network_of(call.request.scope)
        _count(self.limits.asked, network)
        chooser = self.links.opened(call.named("token")) if self.links else None
        if chooser is None:
            _count(self.limits.guessed, network)
        return chooser

    async def _situation(self, chooser: Chooser) -> Situation:
        declared = await self.categories.of(chooser.service)
        chosen = await self.choosing.chosen(chooser)
        return Situation(chooser, declared, chosen, self.channels)

    async def _page(self, call: Call[None, None], at: Situation, action: str) -> Response:
        words = _words(call, at.chosen.locale)
        if not at.chosen.is_known:
            return _shown(unknown_page(words))
        brand = (await self.brands.brand(at.chooser.service)).brand
        offers = at.offers(at.chosen.locale or words.language)
        title = at.category.title(at.chosen.locale or words.language)
        view = View(
            title=title,
            channel=at.chooser.channel,
            offer=next((each for each in offers if each.key == at.chooser.category), None),
            offers=[each for each in offers if each.channels],
            done=_said(action, title, words, is_required=not at.category.can_switch_off),
        )
        return _shown(choices_page(view, words, brand))

    def _showing(self) -> Operation:
        return Operation(
            id="showChoices",
            method="GET",
            path=_PATH,
            summary="The page to unsubscribe, and to choose what one gets",
            description="Where `unsubscribe_url` and `preferences_url` lead. Nothing is changed, "
            "however often it is asked for.",
            tag=_TAG,
            serve=self.show,
            replies=_PAGE,
            problems=(RATE_LIMITED,),
        )

    def _acting(self) -> Operation:
        return Operation(
            id="unsubscribe",
            method="POST",
            path=_PATH,
            summary="Unsubscribe",
            description=f"`{ONE_CLICK}` (RFC 8058), as mail programs post it, switches off the one "
            "category that the link is about, and is answered by a line of text: the same for what "
            "is no link. Forms of the page post what they want, and get the page.",
            tag=_TAG,
            serve=self.act,
            replies=_PAGE,
            problems=(RATE_LIMITED, INVALID),
        )


def asks_for_one_click(body: bytes) -> bool:
    """Whether it is a mail program's, as a form of either kind (RFC 8058 3.2)."""
    if body.strip() == ONE_CLICK.encode():
        return True
    return b'name="List-Unsubscribe"' in body and b"One-Click" in body


def wish_of(body: bytes) -> Wish:
    """Read what a form of the page posted; without a word it is the button that unsubscribes.

    Raises:
        ProblemError: 422, it has too many fields.
    """
    try:
        fields = parse_qs(body.decode("latin-1"), max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise invalid([InvalidField("", f"expected {_MAX_FIELDS} fields at most")]) from error
    action = fields.get("action", ["off"])[0]
    return Wish(action, frozenset(fields.get("on", ())), frozenset(fields.get("shown", ())))


def changes_for(wish: Wish, at: Situation) -> Mapping[Place, bool | None]:
    """Return the choices that a wish comes to; never one about what cannot be switched off."""
    now = {
        (offer.key, channel.value): is_on
        for offer in at.offers("en")
        for channel, is_on in offer.channels
    }
    here = (at.chooser.category, at.chooser.channel.value)
    match wish.action:
        case "off" if at.category.can_switch_off:
            return {here: False}
        case "on" if at.category.can_switch_off:
            return _told({**now, here: True}, now, at)
        case "save":
            return _told({**now, **_ticked(wish, now)}, now, at)
        case "nothing":
            closer = (choice.place for choice in at.chosen.choices if choice.is_on)
            return {**dict.fromkeys(closer, None), (ANY, _any_channel(at)): False}
        case _:
            return {}


def _told(
    wanted: Mapping[Place, bool], now: Mapping[Place, bool], at: Situation
) -> Mapping[Place, bool]:
    """Return what differs; of an address alone, which has no choices to fall back on, all of it."""
    if at.chooser.user_id is None:
        return wanted
    return {place: is_on for place, is_on in wanted.items() if now.get(place) != is_on}


def _ticked(wish: Wish, now: Mapping[Place, bool]) -> Mapping[Place, bool]:
    written = {f"{category}:{channel}": (category, channel) for category, channel in now}
    return {written[each]: each in wish.on for each in wish.shown if each in written}


def _any_channel(at: Situation) -> str:
    return at.chooser.channel.value if at.chooser.user_id is None else ANY


def _said(action: str, title: str, words: Words, *, is_required: bool) -> str | None:
    match action:
        case "off" | "on" if is_required:
            return None
        case "off":
            return words.done_off.format(title=title)
        case "on":
            return words.done_on.format(title=title)
        case "save":
            return words.done_saved
        case "nothing":
            return words.done_everything
        case _:
            return None


def _count(window: FixedWindow, network: str) -> None:
    if not window.hit(network):
        wait = {"Retry-After": str(window.ends_in_s())}
        raise ProblemError(RATE_LIMITED, "Too many requests from here.", headers=wait)


def _words(call: Call[None, None], locale: str | None) -> Words:
    return words_for(locale, header(call.request.scope, b"accept-language"))


def _shown(document: Document) -> Response:
    return HTMLResponse(document.html, headers={"Content-Security-Policy": document.policy})


def _done() -> Response:
    return PlainTextResponse(_UNSUBSCRIBED, status_code=HTTPStatus.OK)
