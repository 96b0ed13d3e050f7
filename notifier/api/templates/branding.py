"""The brand of a service, over HTTP."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from starlette.responses import Response

from notifier.api.kit.answers import Answer
from notifier.api.kit.calls import Call
from notifier.api.kit.fields import single_line
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.preconditions import IF_MATCH, if_match, in_time, quoted
from notifier.api.kit.problems import PRECONDITION_FAILED
from notifier.api.kit.views import View
from notifier.api.templates.cascades import bounded, once
from notifier.api.templates.shapes import (
    TAG,
    CascadedView,
    CascadeQuery,
    TemplateQuery,
    cascaded_views,
)
from notifier.audience.recipient import normalise
from notifier.content.brand import (
    COLOR_PATTERN,
    FONT_PATTERN,
    PHONE_PATTERN,
    URL_PATTERN,
    Brand,
    BrandStore,
    brand_etag,
    default_brand,
    is_brand_url,
)
from notifier.content.cascading import Cascade, Cascader
from notifier.content.library import BRAND, Library
from notifier.errors import RecipientError
from notifier.notification.model import Channel

PATH = "/api/v1/brand"
_MAX_VALUES = 40


def _url(text: str) -> str:
    if not is_brand_url(text):
        message = "expected an address by https:, of a host with a name"
        raise ValueError(message)
    return text


def _fitting(pattern: str, words: str) -> tuple[AfterValidator, WithJsonSchema]:
    """Have a text fit a pattern, and whoever sends another told in words."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(words)
        return text

    return AfterValidator(check), WithJsonSchema({"type": "string", "pattern": pattern})


def _email(text: str) -> str:
    try:
        return normalise(Channel.EMAIL, text)
    except RecipientError as error:
        raise ValueError(str(error)) from error


def _lines(text: str) -> str:
    for line in text.split("\n"):
        single_line(line)
    return text


_Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(single_line)]
_Url: TypeAlias = Annotated[
    str, AfterValidator(_url), WithJsonSchema({"type": "string", "pattern": URL_PATTERN})
]
_Color: TypeAlias = Annotated[str, *_fitting(COLOR_PATTERN, "expected a colour such as #0a5c36")]
_Font: TypeAlias = Annotated[
    str,
    *_fitting(
        FONT_PATTERN, "expected names of fonts without quotes, such as Inter, Arial, sans-serif"
    ),
]
_Email: TypeAlias = Annotated[str, Field(max_length=254), AfterValidator(_email)]
_Phone: TypeAlias = Annotated[
    str, *_fitting(PHONE_PATTERN, "expected a telephone number, such as +43 1 234567")
]
_Address: TypeAlias = Annotated[str, Field(max_length=500), AfterValidator(_lines)]


class BrandShape(BaseModel):
    """What the templates of a service say and look like in common.

    What is absent is as it was before anything was said.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[_Name | None, Field(description="Absent: the service's.")] = None
    url: Annotated[_Url | None, Field(description="Its site.")] = None
    logo_url: Annotated[_Url | None, Field(description="A picture, on light backgrounds.")] = None
    logo_dark_url: Annotated[_Url | None, Field(description="The same, on dark ones.")] = None
    logo_width: Annotated[int | None, Field(ge=16, le=600, description="In pixels.")] = None
    color: Annotated[_Color | None, Field(description="Of buttons and links.")] = None
    on_color: Annotated[_Color | None, Field(description="Of text on `color`.")] = None
    text_color: Annotated[_Color | None, Field(description="Of text.")] = None
    muted_color: Annotated[_Color | None, Field(description="Of text that matters less.")] = None
    background_color: Annotated[_Color | None, Field(description="Around the content.")] = None
    font_family: Annotated[
        _Font | None, Field(description="Names of fonts, without quotes, the best first.")
    ] = None
    radius: Annotated[int | None, Field(ge=0, le=50, description="Of corners, in pixels.")] = None
    postal_address: Annotated[_Address | None, Field(description="Lines of it.")] = None
    support_email: Annotated[_Email | None, Field(description="Where people find help.")] = None
    support_url: Annotated[_Url | None, Field(description="The same, as a page.")] = None
    support_phone: Annotated[_Phone | None, Field(description="The same, by telephone.")] = None

    def brand(self, service: str) -> Brand:
        """Return it as the brand of a service."""
        given = self.model_dump(exclude_none=True)
        return Brand(**{**asdict(default_brand(service)), **given})


class BrandView(View):
    """A service's brand; `null` is what is not known."""

    service: str
    etag: Annotated[str, Field(description="As the header ETag has it, for If-Match.")]
    name: str
    url: str | None
    logo_url: str | None
    logo_dark_url: str | None
    logo_width: int
    color: str
    on_color: str
    text_color: str
    muted_color: str
    background_color: str
    font_family: str
    radius: int
    postal_address: str | None
    support_email: str | None
    support_url: str | None
    support_phone: str | None
    cascade: Annotated[
        list[CascadedView] | None,
        Field(description="What became of those that read it; null if that was not asked for."),
    ]


@dataclass(frozen=True, slots=True)
class Branding:
    """Lets a service say what its templates have in common."""

    brands: BrandStore
    library: Library
    cascader: Cascader

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (self._showing(), self._saving())

    async def show(self, call: Call[None, TemplateQuery]) -> Response:
        """Show the brand."""
        service = call.acting_for(call.query.service)
        kept = await self.brands.brand(service)
        return _shown(service, kept.brand, None).response()

    async def save(self, call: Call[BrandShape, CascadeQuery]) -> Response:
        """Store the brand."""
        service = call.acting_for(call.query.service)
        brand = call.body.brand(service)
        change = partial(self.brands.save, service=service, brand=brand, if_match=if_match(call))
        cascade = await self._cascade(service, brand) if call.query.cascade else None
        saved = in_time(await once(call, change, cascade, partial(_shown, service, brand)), "brand")
        self.library.forget()
        assert isinstance(saved, Response)  # noqa: S101  all else is said above
        return saved

    async def _cascade(self, service: str, brand: Brand) -> Cascade:
        return bounded(await self.cascader.prepared(service, BRAND, brand=brand))

    def _showing(self) -> Operation:
        return Operation(
            id="getBrand",
            method="GET",
            path=PATH,
            summary="What the templates of a service have in common",
            tag=TAG,
            serve=self.show,
            scope="read",
            query=TemplateQuery,
            replies={200: _BRAND},
        )

    def _saving(self) -> Operation:
        return Operation(
            id="saveBrand",
            method="PUT",
            path=PATH,
            summary="Say what the templates of a service have in common",
            description="Templates read it as `brand.*`. A version keeps the brand that there was "
            "when it was published.",
            tag=TAG,
            serve=self.save,
            scope="templates",
            query=CascadeQuery,
            body=BrandShape,
            max_values=_MAX_VALUES,
            headers=(IF_MATCH,),
            replies={200: _BRAND},
            problems=(PRECONDITION_FAILED,),
        )


_BRAND = Reply(description="The brand", model=BrandView, headers=("ETag",))


def _shown(service: str, brand: Brand, cascade: Cascade | None) -> Answer:
    etag, cascaded = quoted(brand_etag(brand)), cascaded_views(cascade)
    view = BrandView(service=service, etag=etag, cascade=cascaded, **asdict(brand))
    return Answer(status=HTTPStatus.OK, body=view.json_value(), headers={"ETag": etag})
