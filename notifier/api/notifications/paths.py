"""Where the endpoints for notifications are."""

from uuid import UUID

from starlette.requests import Request

PREFIX = "/api/v1/notifications"
TAG = "Notifications"


def location(request: Request, id: UUID | str) -> str:
    """Return the path of one notification."""
    return f"{request.scope.get('root_path', '')}{PREFIX}/{id}"
