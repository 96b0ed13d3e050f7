"""The page of a service's brand: what its templates have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from starlette.responses import Response

from notifier.api.console.authoring.cascading import told_cascade
from notifier.api.console.fields import Control, Field, FormPage, filled, flaws_of, given
from notifier.api.console.forms import Form
from notifier.api.console.layout import Section
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.kit.checking import read_strictly
from notifier.api.kit.problems import InvalidField
from notifier.api.templates.branding import BrandShape
from notifier.api.templates.cascades import bounded, renewing
from notifier.content.brand import Brand, BrandStore, KeptBrand
from notifier.content.cascading import Cascade, Cascader
from notifier.content.library import BRAND, Library
from notifier.idempotency import Applied
from notifier.notification.model import JsonValue

SECTION = Section(title="Brand", path="/brand", scope="templates")
_DIGITS = 10
_NUMBERS = ("logo_width", "radius")
_FIELDS = (
    Field("name", "Name", "Of whom mails are; blank: the service's"),
    Field("url", "Site", "Such as https://shop.example.com"),
    Field("logo_url", "Logo", "Its address, by https; on light backgrounds"),
    Field("logo_dark_url", "Logo in the dark", "The same, on dark backgrounds"),
    Field("logo_width", "Width of the logo", "In pixels"),
    Field("color", "Colour", "Of buttons and links, such as #0a5c36"),
    Field("on_color", "Text on that colour"),
    Field("text_color", "Text"),
    Field("muted_color", "Text that matters less"),
    Field("background_color", "Around the content"),
    Field("font_family", "Fonts", "The best first, without quotes: Inter, Arial, sans-serif"),
    Field("radius", "Corners", "Their radius in pixels"),
    Field("postal_address", "Postal address", "Lines of it", Control.AREA),
    Field("support_email", "Help by email"),
    Field("support_url", "Help on a page"),
    Field("support_phone", "Help by telephone"),
    Field("cascade", "Publish the templates that read it again", control=Control.SWITCH),
)
_SAID = (
    "Templates read it as {{ brand.name }}, {{ brand.color }} and so on. A version keeps the brand "
    "that there was when it was published."
)
_OUTRUN = "somebody else changed it since you opened this; save again to have it as it is here"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandPages:
    """Lets a service say what its templates have in common."""

    brands: BrandStore
    library: Library
    cascader: Cascader

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        path, scope = SECTION.path, SECTION.scope
        return (
            ConsolePage(path=path, scope=scope, serve=self.offer),
            ConsolePage(path=path, scope=scope, serve=self.save, method="POST"),
        )

    async def offer(self, visit: Visit) -> Response:
        """Show the form, as the brand is."""
        service = visit.caller.may_name(visit.asked("service") or None)
        kept = await self.brands.brand(service)
        return _page(visit, service, kept.etag).show(visit, _filled_in(kept))

    async def save(self, visit: Visit) -> Response:
        """Store the brand, if nobody else changed it since its form was shown."""
        form = visit.form
        service = visit.caller.may_name(form.text("service") or None)
        wanted, etag = _wanted(form), form.text("etag")
        if isinstance(wanted, list):
            return _page(visit, service, etag).show(visit, form, flaws_of(wanted))
        brand = wanted.brand(service)
        cascade = await self._cascade(service, brand) if form.text("cascade") else None
        made, cascade = await renewing(
            partial(self._saved, service=service, brand=brand, etag=etag), cascade
        )
        if not isinstance(made, Applied):
            now = await self.brands.brand(service)
            flaws = flaws_of([InvalidField("", _OUTRUN)])
            return _page(visit, service, now.etag).show(visit, form, flaws)
        self.library.forget()
        return _saved_page(visit, service, cascade)

    async def _saved(
        self, cascade: Cascade | None, *, service: str, brand: Brand, etag: str
    ) -> Any:
        to_publish = cascade.to_publish if cascade else None
        return await self.brands.save(
            service=service, brand=brand, if_match=etag, cascade=to_publish
        )

    async def _cascade(self, service: str, brand: Brand) -> Cascade:
        return bounded(await self.cascader.prepared(service, BRAND, brand=brand))


def _page(visit: Visit, service: str, etag: str) -> FormPage:
    page = FormPage(
        title=f"The brand of {service}",
        fields=_FIELDS,
        said=(_SAID,),
        hidden={"service": service, "etag": etag},
        button="Save",
        action=SECTION.path,
        up=("Templates", "/templates"),
    )
    return replace(page, title="The brand") if visit.caller.sees is not None else page


def _saved_page(visit: Visit, service: str, cascade: Cascade | None) -> Response:
    told = told_cascade(service, cascade) if cascade else ()
    return visit.page("brand_saved.html", {"service": service, "cascaded": told})


def _filled_in(kept: KeptBrand) -> Form:
    said: Mapping[str, object] = asdict(kept.brand)
    return filled(**{name: "" if it is None else f"{it}" for name, it in said.items()})


def _wanted(form: Form) -> BrandShape | list[InvalidField]:
    """Return what a form asks for, or all that is wrong with it."""
    names = [each.name for each in _FIELDS if each.name not in (*_NUMBERS, "cascade")]
    asked: dict[str, JsonValue] = {**given(form, *names)}
    for name, text in given(form, *_NUMBERS).items():
        is_number = text.isascii() and text.isdecimal() and len(text) < _DIGITS
        asked[name] = int(text) if is_number else text
    return read_strictly(BrandShape, asked)
