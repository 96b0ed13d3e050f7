import asyncio

import pytest

from notifier.channels._mime import Mail
from notifier.channels._smtp_config import SmtpConfig
from notifier.channels._smtp_link import Link, Offers, Progress
from notifier.channels._smtp_wire import SmtpWire
from notifier.refusals.smtp import Phase
from tests.services.recording_transport import RecordingTransport

CONTENT = b"Subject: x\r\n\r\nx\r\n.\r\n"


@pytest.mark.parametrize("pipelining", [True, False])
async def test_content_that_cannot_be_sent_any_more_leaves_the_phase_at_data(
    *, pipelining: bool
) -> None:
    transport, progress = RecordingTransport(), Progress()
    wire = SmtpWire(transport)
    offers = Offers(size=False, smtputf8=False, pipelining=pipelining)
    link = Link(SmtpConfig(host="x", sender="a@x.io"), wire, offers)
    mail = Mail("a@x.io", "b@x.io", CONTENT)
    sending = asyncio.create_task(link.carry(mail, progress))
    replies = [b"250 OK\r\n", b"250 OK\r\n", b"354 go\r\n"]
    for reply in [b"".join(replies)] if pipelining else replies:
        await asyncio.sleep(0)
        wire.data_received(reply)

    wire.connection_lost(None)

    with pytest.raises(ConnectionError):
        await sending
    assert progress.phase is Phase.DATA
    assert mail.content == CONTENT
    assert CONTENT not in transport.written
