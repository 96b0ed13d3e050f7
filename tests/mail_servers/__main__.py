"""Print how long 800 mails take by slots and server: `python -m tests.mail_servers`."""

import asyncio

from tests.mail_servers.load import send
from tests.mail_servers.test_capacity import SERVERS

_MAILS = 800
_SLOTS = (16, 64, 96)


def _main() -> None:
    print("| server | " + " | ".join(f"{slots} slots" for slots in _SLOTS) + " |")  # noqa: T201
    print("|---" * (len(_SLOTS) + 1) + "|")  # noqa: T201
    for name, start in SERVERS.items():
        cells = []
        for slots in _SLOTS:
            with start() as server:
                load = asyncio.run(send(server, mails=_MAILS, slots=slots))
                message_ids = server.delivered(timeout_s=300)
            assert not load.others
            assert sorted(message_ids) == sorted(set(message_ids))
            cells.append(f"{load.took_s:.1f} s")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)  # noqa: T201


_main()
