import asyncio

import pytest

from notifier.channels.email.mime import Mail
from notifier.channels.email.replies import Phase
from notifier.channels.email.smtp.config import SmtpConfig
from notifier.channels.email.smtp.session import Offers, Progress, Session
from notifier.channels.email.smtp.wire import SmtpWire
from tests.servers.recording_transport import RecordingTransport

CONTENT = b"Subject: x\r\n\r\nx\r\n.\r\n"


@pytest.mark.parametrize("pipelining", [True, False])
class TestContent:
    """What becomes of a mail's content."""

    async def begun(self, *, pipelining: bool) -> None:
        """Carry a mail as far as the server's leave to send its content."""
        self.transport, self.progress = RecordingTransport(), Progress()
        self.wire = SmtpWire(self.transport)
        offers = Offers(size=False, smtputf8=False, pipelining=pipelining)
        session = Session(SmtpConfig(host="x", sender="a@x.io"), self.wire, offers)
        self.mail = Mail("a@x.io", "b@x.io", CONTENT)
        self.sending = asyncio.create_task(session.carry(self.mail, self.progress))
        replies = [b"250 OK\r\n", b"250 OK\r\n", b"354 go\r\n"]
        for reply in [b"".join(replies)] if pipelining else replies:
            await asyncio.sleep(0)
            self.wire.data_received(reply)

    async def test_that_cannot_be_sent_any_more_leaves_the_phase_at_data(
        self, *, pipelining: bool
    ) -> None:
        await self.begun(pipelining=pipelining)

        self.wire.connection_lost(None)

        with pytest.raises(ConnectionError):
            await self.sending
        assert self.progress.phase is Phase.DATA
        assert self.mail.content == CONTENT
        assert CONTENT not in self.transport.written

    async def test_that_was_sent_is_let_go_before_its_reply(self, *, pipelining: bool) -> None:
        await self.begun(pipelining=pipelining)

        await asyncio.sleep(0)

        assert CONTENT in self.transport.written
        assert self.mail.content == b""
        self.wire.data_received(b"250 taken\r\n")
        assert (await self.sending).code == 250
