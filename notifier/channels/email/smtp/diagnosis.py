"""Why no connection came about, where that is for an operator to mend: which setting, and how."""

import asyncio
import re
import socket
import ssl

import aiosmtplib

from notifier.channels.email.replies import Phase
from notifier.channels.email.smtp.config import SmtpConfig

# Where a network blocks the usual ports, Amazon SES has the same behind 2,000 more.
IMPLICIT_TLS_PORTS = (465, 2465)
_SUBMISSION_PORTS = (25, 587, 2587)
_LONGEST_LOOK_S = 3.0
_SHARE_OF_TIME = 1 / 6
_MOST_OF_A_GREETING = 512
# How servers of IMAP, POP, SSH, HTTP and VNC begin, after aiosmtplib's own words.
_OTHERS = re.compile(r"line: (\* (OK|PREAUTH|BYE)|\+OK|-ERR|SSH-|HTTP/|RFB )")

# X.509's own numbers, as OpenSSL has them (X509_V_ERR_...).
_NOT_THIS_HOST = (62, 64)
_NOT_NOW = (9, 10)


class MisconfiguredError(Exception):
    """Nothing would get through to this server as it or we are set up."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def unusual_mode(config: SmtpConfig) -> str | None:
    """What is odd about port and security together, before anything was tried."""
    if config.port in IMPLICIT_TLS_PORTS and config.security != "tls":
        where = f"port {config.port}, where servers speak TLS from the first byte"
        return f"{config.security} on {where}"
    if config.port in _SUBMISSION_PORTS and config.security == "tls":
        return f"tls on port {config.port}, where servers begin in the clear"
    return None


async def misconfiguration(
    error: Exception, phase: Phase, config: SmtpConfig, *, has_worked: bool
) -> MisconfiguredError | None:
    """What an operator has to mend for `error` not to come again; None where that is not known.

    Looks at the server once more where silence or noise came instead of a greeting, unless it
    `has_worked` as it is set up.
    """
    known = _by_itself(error, phase, config)
    if known is None and phase is Phase.CONNECT and not has_worked and _may_be_the_mode(error):
        within_s = min(_LONGEST_LOOK_S, config.timeout_s * _SHARE_OF_TIME)
        if config.security == "tls":
            if await _greets(config.host, config.port, within_s):
                return _other_mode(config, "it does not speak TLS", "starttls", "tls (usually 465)")
        elif await _speaks_tls(config.host, config.port, within_s):
            return _other_mode(config, "it speaks TLS", "tls", "starttls (usually 587)")
    return known or _by_tls(error, phase)


def _other_mode(config: SmtpConfig, what: str, mode: str, port: str) -> MisconfiguredError:
    return MisconfiguredError(
        "tls_mode",
        f"{what} from the first byte: set {config.variable('SECURITY')} to {mode}, or "
        f"{config.variable('PORT')} to the one for {port}",
    )


def _by_itself(error: Exception, phase: Phase, config: SmtpConfig) -> MisconfiguredError | None:
    cause = _cause(error)
    match cause:
        case MisconfiguredError():
            return cause
        case ssl.SSLCertVerificationError():
            return MisconfiguredError("tls", f"{phase}: {_certificate(cause, config)}")
        case socket.gaierror() if cause.errno in (socket.EAI_NONAME, socket.EAI_NODATA):
            # A moment's trouble is EAI_AGAIN. Where even so it is one, nothing was spent.
            problem = f"there is no such host: see {config.variable('HOST')}"
            return MisconfiguredError("dns", problem)
        case aiosmtplib.SMTPResponseException(code=-1) if _OTHERS.search(cause.message):
            problem = f"what answers there does not speak SMTP: see {config.variable('PORT')}"
            return MisconfiguredError("not_smtp", problem)
        case _:
            return None


def _by_tls(error: Exception, phase: Phase) -> MisconfiguredError | None:
    cause = _cause(error)
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
        return MisconfiguredError("tls", f"{phase}: {cause.reason or type(cause).__name__}")
    return None


def _certificate(error: ssl.SSLCertVerificationError, config: SmtpConfig) -> str:
    if error.verify_code in _NOT_THIS_HOST:
        hint = f"it is another host's: set {config.variable('HOST')} to a name that it is for"
    elif error.verify_code in _NOT_NOW:
        hint = "the server needs a new one, or this host's clock is wrong"
    else:
        hint = f"set {config.variable('CA_PATH')} to a file with who signed it"
    return f"CERTIFICATE_VERIFY_FAILED ({error.verify_message.rstrip('.')}): {hint}"


def _may_be_the_mode(error: Exception) -> bool:
    cause = _cause(error)
    if isinstance(cause, (ConnectionRefusedError, socket.gaierror)):
        return False
    return isinstance(cause, (OSError, aiosmtplib.SMTPServerDisconnected))


def _cause(error: Exception) -> BaseException:
    # The cause of a time-out is how it was done.
    if isinstance(error, TimeoutError) or error.__cause__ is None:
        return error
    return error.__cause__


async def _greets(host: str, port: int, within_s: float) -> bool:
    """Whether a server says something by itself, in the clear."""
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                return (await reader.read(_MOST_OF_A_GREETING))[:3].isdigit()
            finally:
                writer.transport.abort()
    except OSError:
        return False


async def _speaks_tls(host: str, port: int, within_s: float) -> bool:
    """Whether a TLS handshake works, whoever it is with."""
    anybody = ssl.create_default_context()
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(within_s):
            _, writer = await asyncio.open_connection(host, port, ssl=anybody)
    except OSError:
        return False
    writer.transport.abort()
    return True
