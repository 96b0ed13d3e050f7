"""Where the endpoints for notifications are."""

from uuid import UUID

from starlette.requests import Request

from notifier.api.kit import answers

PREFIX = "/api/v1/notifications"
TAG = "Notifications"


def location(request: Request, id: UUID | str) -> str:
    """Return the path of one notification."""
    return answers.location(request, f"{PREFIX}/{id}")
