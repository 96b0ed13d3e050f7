"""The console: which pages it has, and what each is given."""

from collections.abc import Sequence

from starlette.routing import Route

from notifier.access.sessions import Sessions
from notifier.api.console import broadcasts
from notifier.api.console.door import Door
from notifier.api.console.layout import Layout
from notifier.api.console.routes import console_routes
from notifier.api.kit.access import Doorkeeper
from notifier.api.kit.config import ApiConfig
from notifier.api.ports import ApiPorts

_SECTIONS = (broadcasts.SECTION,)


def console(ports: ApiPorts, config: ApiConfig, doorkeeper: Doorkeeper) -> Sequence[Route]:
    """Return the routes of the console."""
    pages = (*broadcasts.BroadcastPages(ports.broadcasts).pages(),)
    door = Door(doorkeeper, Sessions(config.pepper), ports.clock)
    return console_routes(pages, door, Layout(ports.pages, _SECTIONS))
