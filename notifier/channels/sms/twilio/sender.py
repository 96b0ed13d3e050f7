"""Who a text message comes from, as Twilio takes it."""

import re

_NUMBER = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_BETWEEN_DIGITS = re.compile(r"[\s().-]")
_SHORT_CODE = re.compile(r"\d{3,8}", re.ASCII)
_SERVICE = re.compile(r"MG[0-9A-Fa-f]{32}", re.ASCII)
# https://www.twilio.com/docs/glossary/what-alphanumeric-sender-id
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &_+-]{1,11}", re.ASCII)

_EXPECTED = (
    "expected a number (+15005550006), a short code (3 to 8 digits), a messaging service's SID (MG "
    "and 32 hexadecimal digits), or a name of at most 11 letters, digits and spaces with a letter"
)


def parse_sms_sender(text: str) -> str:
    """Return the sender as Twilio takes it: a number without spaces, anything else as it is.

    Raises:
        ValueError: Twilio takes no such sender; says in one line what it takes.
    """
    text = text.strip()
    if text.startswith("+") and _NUMBER.fullmatch(number := _BETWEEN_DIGITS.sub("", text)):
        return number
    if any(form.fullmatch(text) for form in (_SHORT_CODE, _SERVICE, _NAME)):
        return text
    if ":" in text:
        raise ValueError(f"only SMS is sent, over no other channel of Twilio's; {_EXPECTED}")
    raise ValueError(_EXPECTED)


def is_messaging_service(sender: str) -> bool:
    """Whether it is a messaging service's SID; a name may begin with the same letters."""
    return _SERVICE.fullmatch(sender) is not None
