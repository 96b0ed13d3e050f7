"""What stands for an address or a person once they are erased, and the seal of what was done."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Final

from notifier.audience.recipient import compared
from notifier.notification.model import Channel, JsonValue

ERASED: Final = "erased:"
"""What a pseudonym begins with; no address does."""

_HEX_CHARS = 32


class Pseudonyms:
    """Pseudonyms under a secret: who does not have it cannot try addresses against them."""

    def __init__(self, secret: bytes) -> None:
        self._of_addresses = _derived(secret, b"notifier: erased addresses")
        self._of_receipts = _derived(secret, b"notifier: receipts of erasures")

    def of(self, service: str, channel: Channel, recipient: str) -> str:
        """Return what stands for a recipient of a service; the same for all ways to write it.

        A person of the directory is the recipient of this name of in-app notifications.
        """
        text = f"{service}\n{channel}\n{compared(channel, recipient)}"
        digest = hmac.digest(self._of_addresses, text.encode(errors="replace"), hashlib.sha256)
        return ERASED + digest.hex()[:_HEX_CHARS]

    def sealed(self, receipt: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
        """Return a receipt with the signature that `is_sealed` knows."""
        return {**receipt, "signature": self._signature(receipt)}

    def is_sealed(self, receipt: Mapping[str, JsonValue]) -> bool:
        """Whether a receipt is one of ours, and unchanged."""
        signed = receipt.get("signature")
        bare = {name: value for name, value in receipt.items() if name != "signature"}
        return isinstance(signed, str) and hmac.compare_digest(
            signed.encode(errors="replace"), self._signature(bare).encode()
        )

    def _signature(self, receipt: Mapping[str, JsonValue]) -> str:
        text = json.dumps(receipt, sort_keys=True, separators=(",", ":"))
        return "v1," + hmac.digest(self._of_receipts, text.encode(), hashlib.sha256).hex()


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return hmac.digest(secret, purpose, hashlib.sha256)
