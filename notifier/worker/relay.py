"""The relay: does what has to be done again and again, so that nothing stays where it is."""

import asyncio
from collections.abc import Sequence

import structlog

from notifier.duty import Duty
from notifier.errors import NotifierError
from notifier.trouble import Trouble

log = structlog.get_logger(__name__)


class Relay:
    """Does its duties, each by itself. Any number of relays may run at once."""

    def __init__(self, duties: Sequence[Duty]) -> None:
        self._duties = duties

    async def run(self) -> None:
        """Run until cancelled; a database or broker that is away only delays."""
        async with asyncio.TaskGroup() as group:
            for duty in self._duties:
                group.create_task(_repeat(duty))


async def _repeat(duty: Duty) -> None:
    now_s = asyncio.get_running_loop().time
    delay = Trouble("relay.delayed", "relay.resumed", now_s, duty=duty.name)
    while True:
        if not await _has_more(duty, delay):
            await _wait(duty)


async def _has_more(duty: Duty, delay: Trouble) -> bool:
    try:
        has_more = await duty.run()
    except NotifierError as error:
        delay.met(error=type(error).__name__, reason=str(error))
        return False
    except Exception:  # one duty's defect must not end the others, nor the runner
        log.exception("relay.crashed", duty=duty.name)
        return False
    delay.ended()
    return has_more


async def _wait(duty: Duty) -> None:
    try:
        async with asyncio.timeout(duty.every_s):
            await duty.nudge.wait()
    except TimeoutError:
        return
    finally:
        duty.nudge.clear()
