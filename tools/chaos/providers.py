"""The providers' stand-ins, in an OS process of their own: SMTP, SendGrid and Twilio.

    python -m tools.chaos.providers JOURNAL SMTP_PORT HTTP_PORT

A call is in the journal, on disk, before it is answered.
"""

import asyncio
import re
import signal
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import uvloop
from aiohttp import web
from aiosmtpd.smtp import MISSING, SMTP, Envelope, Session

from tests.servers.processes import LOOPBACK
from tests.servers.providers import Arrival, SendGrid, Twilio
from tools.chaos.journal import Answer, Entry, Journal, open_journal
from tools.chaos.recipients import manner_of

SENDGRID_KEY = "SG.chaos"
TWILIO_SID, TWILIO_TOKEN = "AC0", "token"
_SILENCE_S = 60
_LATENCY_S = (0.005, 0.04)
_MESSAGE_ID = re.compile(rb"^Message-ID: *<([0-9a-f-]{36})@", re.IGNORECASE | re.MULTILINE)


class Desk:
    """Decides about calls, and keeps the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._seen: set[str] = set()
        self._random = Random(0)  # noqa: S311  repeatable

    async def receive(self, provider: str, recipient: str, id: str) -> Answer:
        """Take a while, decide, and return once the decision is on disk.

        A recipient who is met by silence, or put off, is served at the second call.
        """
        await asyncio.sleep(self._random.uniform(*_LATENCY_S))
        answer = manner_of(recipient)
        if answer in ("silence", "later") and id in self._seen:
            answer = "taken"
        self._seen.add(id)
        await self._journal.note(Entry(at=time.time(), provider=provider, id=id, answer=answer))
        if answer == "silence":
            await asyncio.sleep(_SILENCE_S)
        return answer


class MailServer:
    """aiosmtpd's hooks; MISSING means: go on as usual."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.is_failing = False

    def fail(self, is_failing: bool) -> None:  # noqa: FBT001  a signal's handler
        """Put everything off, or work again."""
        self.is_failing = is_failing

    async def handle_DATA(  # noqa: N802  aiosmtpd's name
        self, _protocol: SMTP, _session: Session, envelope: Envelope
    ) -> Any:
        if self.is_failing:
            return "451 4.3.0 try again later"
        found = _MESSAGE_ID.search(envelope.original_content or b"")
        if found is None:
            return "554 5.6.0 no Message-ID"
        answer = await self._desk.receive("smtp", envelope.rcpt_tos[0], found[1].decode())
        match answer:
            case "later":
                return "451 4.2.1 mailbox busy, try again"
            case "never":
                return "550 5.1.1 no such user"
        return MISSING


class WebServers:
    """SendGrid and Twilio, by their paths."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._sendgrid = SendGrid(SENDGRID_KEY)
        self._twilio = Twilio(TWILIO_SID, TWILIO_TOKEN)

    def app(self) -> web.Application:
        """Both of them."""
        app = web.Application()
        app.router.add_post("/v3/mail/send", self._take_mail)
        app.router.add_post("/2010-04-01/Accounts/{sid}/Messages.json", self._take_sms)
        return app

    async def _take_mail(self, request: web.Request) -> web.Response:
        if refusal := await self._sendgrid.refusal(request):
            return refusal
        fields: Any = await self._sendgrid.fields(request)
        recipient = fields["personalizations"][0]["to"][0]["email"]
        id = fields["personalizations"][0]["custom_args"]["notification_id"]
        answer = await self._desk.receive("sendgrid", recipient, id)
        if answer in ("later", "never"):
            # SendGrid refuses no recipient when it takes a mail: a bad request, or too many.
            status = 400 if answer == "never" else 408
            return web.json_response(
                {"errors": [{"message": answer, "field": None}]}, status=status
            )
        return self._sendgrid.answer(Arrival(self._sendgrid.new_id(), fields))

    async def _take_sms(self, request: web.Request) -> web.Response:
        if refusal := await self._twilio.refusal(request):
            return refusal
        fields: Any = await self._twilio.fields(request)
        id = fields["StatusCallback"].partition("?")[0].rpartition("/")[2]
        answer = await self._desk.receive("twilio", fields["To"], id)
        if answer in ("later", "never"):
            code, status = (21614, 400) if answer == "never" else (30017, 400)
            body = {"code": code, "message": answer, "status": status}
            return web.json_response(body, status=status)
        return self._twilio.answer(Arrival(self._twilio.new_id(), fields))


async def serve(desk: Desk, smtp_port: int, http_port: int) -> None:
    """Serve until SIGTERM."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    mail = MailServer(desk)
    loop.add_signal_handler(signal.SIGUSR1, mail.fail, True)  # noqa: FBT003
    loop.add_signal_handler(signal.SIGUSR2, mail.fail, False)  # noqa: FBT003
    await loop.create_server(lambda: SMTP(mail, hostname="localhost"), LOOPBACK, smtp_port)
    runner = web.AppRunner(WebServers(desk).app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, http_port).start()
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    with open_journal(Path(sys.argv[1])) as kept:
        uvloop.run(serve(Desk(kept), int(sys.argv[2]), int(sys.argv[3])))
