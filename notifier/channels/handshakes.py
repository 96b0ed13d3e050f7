"""What an HTTP provider's answer to a question says to whoever set it up."""

from http import HTTPStatus

from notifier.channels._outcomes import Answer
from notifier.notification.outcomes import Transient, Unknown
from notifier.providers.handshake import Trouble

_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def http_trouble(answer: Answer | Transient | Unknown, login: str, url: str) -> Trouble | None:
    """Return why `answer` is not the one hoped for; `login` and `url` name the variables to see."""
    match answer:
        case Answer(status=HTTPStatus.OK):
            return None
        case Answer() if answer.status in _REFUSED:
            return Trouble(f"it refused the login: http {answer.status}", f"see {login}")
        case Answer():
            return Trouble(f"it answered http {answer.status}", f"try again, and see {url}")
        case Transient() | Unknown():
            advice = f"see {url}, and whether a firewall lets this machine through"
            return Trouble(f"no answer: {answer.code}", advice)
