"""Tables of what HTTP answers mean."""

from collections.abc import Mapping
from dataclasses import dataclass

from notifier.channels.refusals.blame import Ruling

_OF_THE_SESSION = frozenset({401, 404, 405, 407, 429})


def is_about_one(status: int) -> bool:
    """Whether a refusal with this status is about the message posted: not one for all."""
    return status not in _OF_THE_SESSION and not 300 <= status < 400  # noqa: PLR2004 - redirects


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTable:
    """What refusals mean: by the provider's own code, else by status, else by status class."""

    codes: Mapping[str, Ruling]
    statuses: Mapping[int, Ruling]
    classes: Mapping[int, Ruling]
    otherwise: Ruling

    def ruling(self, status: int, code: str | None) -> Ruling:
        """Return what `status` and the provider's own `code` mean together."""
        if code is not None and code in self.codes:
            return self.codes[code]
        by_class = self.classes.get(status // 100, self.otherwise)
        return self.statuses.get(status, by_class)
