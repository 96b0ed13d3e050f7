"""Why a service could not be had."""


class ServiceUnavailableError(Exception):
    """No way to this service works here; its text is one line that says what to install."""


class WayClosedError(Exception):
    """One of several ways to a service does not exist on this machine; the next one is tried."""


class ServerEndedError(Exception):
    """A server ended by itself while somebody waited for it; its text is what it printed last."""
