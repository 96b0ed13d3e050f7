"""The endpoints for what services declare for all their people: categories, and quiet hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from starlette.responses import Response

from notifier.api.categories.shapes import (
    CategoriesQuery,
    CategoriesView,
    CategoryQuery,
    CategoryRequest,
    CategoryView,
    ServiceHoursRequest,
    ServiceHoursView,
)
from notifier.api.kit.answers import Answer, ok
from notifier.api.kit.calls import Call
from notifier.api.kit.hours import QuietHoursView
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.preconditions import IF_MATCH, if_match, in_time, quoted
from notifier.api.kit.problems import (
    INVALID,
    NOT_FOUND,
    PRECONDITION_FAILED,
    InvalidField,
    invalid,
    invalid_parameter,
    there,
)
from notifier.api.kit.querying import named_place
from notifier.audience.category import (
    KEY_WORDS,
    MAX_CATEGORIES,
    Categories,
    CategoryStore,
    TooManyCategories,
    is_category_key,
)
from notifier.audience.quiet_hours import QuietHours

PREFIX = "/api/v1/categories"
HOURS = "/api/v1/quiet-hours"

_TAG = "Categories"
_MAX_VALUES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryEndpoints:
    """Lets services declare what their people choose by, and when they are left in peace."""

    store: CategoryStore
    categories: Categories

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (
            self._listing(),
            self._setting(),
            self._removing(),
            self._showing_hours(),
            self._setting_hours(),
        )

    async def show_page(self, call: Call[None, CategoriesQuery]) -> Response:
        """Show a page of categories."""
        query = call.query
        found = await self.store.list(
            service=call.seeing(query.service), limit=query.limit + 1, after=query.after
        )
        return call.page(found, CategoriesView, CategoryView.of, named_place)

    async def set(self, call: Call[CategoryRequest, CategoryQuery]) -> Response:
        """Add or replace one."""
        service, key = call.acting_for(call.query.service), call.named("category")
        if not is_category_key(key):
            raise invalid_parameter("category", KEY_WORDS)
        category = call.body.category(service, key)
        made = await self.store.set(category, if_match=if_match(call))
        if isinstance(made, TooManyCategories):
            words = f"a service has at most {MAX_CATEGORIES} categories"
            raise invalid([InvalidField("", words)])
        stored = in_time(made, "category")
        self.categories.forget()
        return ok(CategoryView.of(stored), {"ETag": quoted(stored.etag)})

    async def remove(self, call: Call[None, CategoryQuery]) -> Response:
        """Let nobody choose by it any more."""
        service = call.acting_for(call.query.service)
        there(await self.store.remove(service, call.named("category")))
        self.categories.forget()
        return Answer(status=HTTPStatus.NO_CONTENT).response()

    async def show_hours(self, call: Call[None, CategoryQuery]) -> Response:
        """Show a service's quiet hours."""
        service = call.acting_for(call.query.service)
        return _hours(service, (await self.store.declared(service)).quiet_hours)

    async def set_hours(self, call: Call[ServiceHoursRequest, CategoryQuery]) -> Response:
        """Set a service's quiet hours, or take them back."""
        service, asked = call.acting_for(call.query.service), call.body.quiet_hours
        hours = asked.hours() if asked else None
        await self.store.set_quiet_hours(service, hours)
        self.categories.forget()
        return _hours(service, hours)

    def _listing(self) -> Operation:
        return Operation(
            id="listCategories",
            method="GET",
            path=PREFIX,
            summary="What people choose by",
            description="Of the key's service; with the scope admin of all, or of `service`.",
            tag=_TAG,
            serve=self.show_page,
            scope="read",
            query=CategoriesQuery,
            replies={200: Reply(description="One page", model=CategoriesView)},
        )

    def _setting(self) -> Operation:
        return Operation(
            id="setCategory",
            method="PUT",
            path=f"{PREFIX}/{{category}}",
            summary="Declare a category, or change it",
            description="What is sent in it is for who has it on; who chose nothing gets what "
            "`defaults` say. The scope is that of templates: who owns the words owns what they "
            "are about. Other processes go by it within two seconds.",
            tag=_TAG,
            serve=self.set,
            scope="templates",
            query=CategoryQuery,
            body=CategoryRequest,
            max_values=_MAX_VALUES,
            headers=(IF_MATCH,),
            replies={200: Reply(description="The category", model=CategoryView, headers=("ETag",))},
            problems=(INVALID, PRECONDITION_FAILED),
        )

    def _removing(self) -> Operation:
        return Operation(
            id="removeCategory",
            method="DELETE",
            path=f"{PREFIX}/{{category}}",
            summary="Let nobody choose by a category any more",
            description="What is sent in it then is as if it had none. What people chose of it is "
            "kept, and counts again if it is declared again.",
            tag=_TAG,
            serve=self.remove,
            scope="templates",
            query=CategoryQuery,
            replies={204: Reply(description="It is gone")},
            problems=(NOT_FOUND,),
        )

    def _showing_hours(self) -> Operation:
        return Operation(
            id="getQuietHours",
            method="GET",
            path=HOURS,
            summary="When people are left in peace who say nothing themselves",
            tag=_TAG,
            serve=self.show_hours,
            scope="read",
            query=CategoryQuery,
            replies={200: _HOURS},
        )

    def _setting_hours(self) -> Operation:
        return Operation(
            id="setQuietHours",
            method="PUT",
            path=HOURS,
            summary="Say when people are left in peace who say nothing themselves",
            description="By the clocks of the recipient's time zone (UTC if there is none). What "
            "comes meanwhile waits until they end, in categories that can be switched off and in "
            "all lanes but `high`.",
            tag=_TAG,
            serve=self.set_hours,
            scope="templates",
            query=CategoryQuery,
            body=ServiceHoursRequest,
            replies={200: _HOURS},
            problems=(INVALID,),
        )


_HOURS = Reply(description="The quiet hours", model=ServiceHoursView)


def _hours(service: str, hours: QuietHours | None) -> Response:
    return ok(ServiceHoursView(service=service, quiet_hours=QuietHoursView.of(hours)))
