"""RabbitMQ's management API, as far as tests need it."""

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

# A virtual host on all nodes of a busy machine takes its time.
_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class ManagementApi:
    """Calls to `url`, such as http://127.0.0.1:15672, as one user.

    Every call raises `urllib.error.URLError` when the broker does not answer, and its subclass
    `HTTPError` when it refuses.
    """

    url: str
    user: str
    password: str

    def call(self, method: str, *path: str, body: object = None) -> Any:
        """Call /api/<path>, each part quoted, and return the decoded answer, or None if empty."""
        quoted = "/".join(urllib.parse.quote(part, safe="") for part in path)
        request = urllib.request.Request(  # noqa: S310  the URL is one of ours
            f"{self.url}/api/{quoted}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": self._credentials(), "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
            answer = response.read()
        return json.loads(answer) if answer else None

    def _credentials(self) -> str:
        pair = f"{self.user}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"

    def version(self) -> str:
        """Return the broker's version."""
        return str(self.call("GET", "overview")["rabbitmq_version"])

    def answers(self) -> bool:
        """Whether the API is up."""
        try:
            self.call("GET", "overview")
        except OSError:
            return False
        return True
