"""Serve Canaille, an OpenID Connect provider, on a free port of loopback.

Run by the Python of an environment of its own, as `tests.servers.identity_provider` does: reads who
there is as a line of JSON, and writes its URL.
"""

import json
import sys
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from joserfc.jwk import RSAKey


class Server(ThreadingMixIn, WSGIServer):
    """Answers each request in a thread."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def fill(told: dict[str, Any]) -> None:
    """Make its client, and its people with their groups."""
    client = models.Client(
        client_id=told["client_id"],
        client_secret=told["client_secret"],
        client_name="notifier",
        client_uri="http://127.0.0.1/",
        redirect_uris=[told["back"]],
        grant_types=["authorization_code"],
        response_types=["code"],
        scope=["openid", "profile", "email", "groups"],
        token_endpoint_auth_method="client_secret_basic",
        contacts=[],
    )
    Backend.instance.save(client)
    client.audience = [client]
    Backend.instance.save(client)
    for name, groups in told["people"].items():
        user = models.User(
            user_name=name,
            formatted_name=name.title(),
            family_name=name.title(),
            emails=[f"{name}@example.com"],
            password=told["password"],
        )
        Backend.instance.save(user)
        for each in groups:
            group = Backend.instance.get(models.Group, display_name=each)
            group = group or models.Group(display_name=each, members=[])
            group.members = [*group.members, user]
            Backend.instance.save(group)


def main() -> None:
    """Serve until it is ended."""
    told = json.loads(sys.stdin.readline())
    server = make_server("127.0.0.1", 0, None, Server, Quiet)
    key = RSAKey.generate_key(2048, parameters={"use": "sig", "alg": "RS256"})
    app = create_app(
        {
            "SECRET_KEY": "a secret for the length of a test",
            "SERVER_NAME": f"127.0.0.1:{server.server_port}",
            "PREFERRED_URL_SCHEME": "http",
            "CANAILLE_OIDC": {"ACTIVE_JWKS": [key.as_dict(private=True)]},
            "CANAILLE_MEMORY": {},
        }
    )
    with app.app_context(), Backend.instance.session():
        fill(told)
    server.set_app(app)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201  for who started it
    server.serve_forever()


if __name__ == "__main__":
    main()
