"""What a name leads to."""

import asyncio
import socket
from collections.abc import Sequence


async def addresses_of(host: str) -> Sequence[str]:
    """Return the IP addresses of a name, in the order in which they are to be tried.

    Raises:
        OSError: nobody knows the name.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
