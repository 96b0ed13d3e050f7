"""The one-process mode: settings, secrets and a first API key under one folder."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from notifier.errors import SettingsError
from notifier.settings.environment import given
from notifier.settings.groups import Settings

SERVICE = "development"

_CONSUMERS = (
    "NOTIFIER_EMAIL__CONSUMERS",
    "NOTIFIER_SMS__CONSUMERS",
    "NOTIFIER_IN_APP__CONSUMERS",
)


def environment(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """`environ`, with what the one-process mode needs where it names nothing else.

    A SQLite file and a queue in the process, the sandbox for every channel, as many consumers as
    several worker processes have (SQLite's one writer works in batches), and a key pepper and a
    key of content that are made at the first start and kept in `folder` with mode 0600.

    Raises:
        SettingsError: the folder cannot be written.
    """
    with _reaching(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    told = environ.get("NOTIFIER_PORT", "")
    port = int(told) if told.isdigit() else 8_000
    usual = {
        "NOTIFIER_DATABASE_URL": f"sqlite:///{folder.resolve() / 'notifier.db'}",
        "NOTIFIER_BROKER_URL": "memory://",
        "NOTIFIER_KEY_PEPPER": kept_secret(folder / "key-pepper"),
        "NOTIFIER_SECRETS__CONTENT_KEYS": kept_secret(folder / "content-key"),
        "NOTIFIER_EMAIL__PROVIDERS": "sandbox",
        "NOTIFIER_SMS__PROVIDERS": "sandbox",
        "NOTIFIER_IN_APP__PROVIDERS": "sandbox",
        **dict.fromkeys(_CONSUMERS, "64"),
        # Of a free one nobody knows the number yet: `reached_at`.
        **({"NOTIFIER_LINKS__BASE_URL": f"http://127.0.0.1:{port}"} if port else {}),
        "NOTIFIER_SANDBOX_PAGE": "true",
        "NOTIFIER_LOG_FORMAT": "console",
        "NOTIFIER_LOG_LEVEL": "WARNING",
    }
    set_otherwise = given(environ, usual, is_complete=False)
    return {**environ, **{name: usual[name] for name in usual if name not in set_otherwise}}


def reached_at(settings: Settings, port: int) -> Settings:
    """Return the settings once it is known which free port was taken: links lead there."""
    if settings.port or not settings.sandbox_page or settings.links.base_url is not None:
        return settings
    links = settings.links.model_copy(update={"base_url": f"http://127.0.0.1:{port}"})
    return settings.model_copy(update={"links": links})


@contextmanager
def _reaching(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read and written ({error.strerror})") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: is no text; move it away") from None


def kept_secret(path: Path) -> str:
    """The secret in `path`, made at the first call. Raises as `keep_secret`."""
    secret = read_secret(path) or secrets.token_urlsafe(32)
    keep_secret(path, secret)
    return secret


def read_secret(path: Path) -> str | None:
    """The secret in `path`, if there is one. Raises as `keep_secret`."""
    with _reaching(path):
        return path.read_text(encoding="utf-8").strip() if path.exists() else None


def keep_secret(path: Path, secret: str) -> None:
    """Write `secret` to `path`, readable by its owner alone from the first moment on.

    Raises:
        SettingsError: the file or its folder cannot be written.
    """
    with _reaching(path):
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(f"{secret}\n", encoding="utf-8")


def providers(settings: Settings) -> Mapping[str, str]:
    """The provider that each channel uses."""
    return {
        "email": settings.email.providers[0],
        "sms": settings.sms.providers[0],
        "in_app": settings.in_app.providers[0],
    }


def greeting(url: str, key: str, folder: Path, providers: Mapping[str, str]) -> str:
    """What to show when the one-process mode is ready: where it is and how to send."""
    named = ", ".join(f"{channel} {provider}" for channel, provider in providers.items())
    where = ", then look at the sandbox" if providers["email"] == "sandbox" else ""
    return f"""\

notifier is ready.

  API       {url}/docs
  Sandbox   {url}/sandbox      what would have been sent
  Inbox     {url}/sandbox/inbox#{key}
            in-app notifications in a page
  Console   {url}/console      how things stand; sign in with the key
  API key   {key}
            (kept in {folder / "api-key"})
  Providers {named}

Send a first email{where}:

  curl -s {url}/api/v1/notifications/send \\
    -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
    -d '{{"type": "email", "recipient": "ada@example.com", "subject": "Order {{{{ order }}}}", \
"content": "It is on its way.", "variables": {{"order": 42}}}}'

Ctrl-C stops.
"""
