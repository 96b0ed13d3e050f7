"""Why the broker ends a channel or a connection, in RabbitMQ's words."""

FRAME_ERROR = 501
SYNTAX_ERROR = 502
COMMAND_INVALID = 503
CHANNEL_ERROR = 504
UNEXPECTED_FRAME = 505
NOT_ALLOWED = 530
NOT_IMPLEMENTED = 540


class Refusal(Exception):  # noqa: N818  an answer, not an error of ours
    """What ends the channel it is an answer on, or with a code from 500 the connection."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    @property
    def ends_connection(self) -> bool:
        """Whether more ends than a channel."""
        return self.code >= FRAME_ERROR


def not_found(kind: str, name: str, vhost: str) -> Refusal:
    return Refusal(404, f"NOT_FOUND - no {kind} '{name}' in vhost '{vhost}'")


def precondition_failed(what: str) -> Refusal:
    return Refusal(406, f"PRECONDITION_FAILED - {what}")


def not_allowed(what: str) -> Refusal:
    return Refusal(NOT_ALLOWED, f"NOT_ALLOWED - {what}")


def not_implemented(what: str) -> Refusal:
    return Refusal(NOT_IMPLEMENTED, f"NOT_IMPLEMENTED - {what}")


def channel_error(what: str) -> Refusal:
    return Refusal(CHANNEL_ERROR, f"CHANNEL_ERROR - {what}")


def unexpected_frame(what: str) -> Refusal:
    return Refusal(UNEXPECTED_FRAME, f"UNEXPECTED_FRAME - {what}")


def command_invalid(what: str) -> Refusal:
    return Refusal(COMMAND_INVALID, f"COMMAND_INVALID - {what}")


def syntax_error(what: str) -> Refusal:
    return Refusal(SYNTAX_ERROR, f"SYNTAX_ERROR - {what}")
