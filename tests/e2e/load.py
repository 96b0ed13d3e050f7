"""Services that send while something else happens."""

import threading
from contextlib import suppress
from typing import Self

import httpx2

from tests.e2e.client import MAIL, Service
from tests.patience import AT_ALL_S
from tests.servers.processes import wait_until

_PAUSE_S = 0.05


class Load:
    """Sends some 400 mails a second until it is stopped or the API is gone."""

    def __init__(self, service: Service) -> None:
        self.accepted: list[str] = []
        self._service = service
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more."""
        self._stopping.set()
        self._thread.join(timeout=AT_ALL_S)

    def await_accepted(self, count: int) -> None:
        """Wait until so many were accepted."""
        wait_until(
            lambda: len(self.accepted) >= count, timeout_s=AT_ALL_S, what=f"{count} accepted"
        )

    def _send(self) -> None:
        with suppress(httpx2.TransportError):
            while not self._stopping.wait(_PAUSE_S):
                self.accepted += self._service.send_batch([MAIL] * 20)
