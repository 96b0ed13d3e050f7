"""Rules as files: one of JSON each, and beside them what was agreed upon with which server."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from notifier.errors import SettingsError
from notifier.events.rule import is_rule_name

MINE = "changed here, and there is another one on the server; push it, or pull with --force"
THEIRS = "not what the server had when this folder last agreed with it; pull first, or --force"
_AGREED = ".agreed.json"


class RuleFolder:
    """Rules in a folder: `order.shipped.json` is that of this name."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> Sequence[str]:
        """The rules that there are, in their order.

        Raises:
            SettingsError: a file has no rule's name.
        """
        files = self.root.glob("*.json") if self.root.is_dir() else ()
        names = sorted(each.stem for each in files if not each.name.startswith("."))
        if unfit := [each for each in names if not is_rule_name(each)]:
            words = "lower-case letters, digits, and . _ - after the first"
            raise SettingsError(f"{self.path(unfit[0])}: no rule's name: {words}")
        return names

    def path(self, name: str) -> Path:
        """Where a rule is."""
        return self.root / f"{name}.json"

    def read(self, name: str) -> Any:
        """Return what a file says; None if there is none.

        Raises:
            SettingsError: it is no JSON.
        """
        try:
            return json.loads(self.path(name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError):
            raise SettingsError(f"{self.path(name)}: is no JSON") from None

    def write(self, name: str, document: Any) -> None:
        """Write a rule for people and for git."""
        text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
        self.path(name).write_text(text, encoding="utf-8")

    def is_agreed(self, server: str, name: str, document: Any) -> bool:
        """Whether that is what was the same here and there."""
        return self._agreements().get(server, {}).get(name) == _digest(document)

    def agree(self, server: str, name: str, document: Any) -> None:
        """Note that a rule is the same here and there."""
        every = self._agreements()
        if not self.is_agreed(server, name, document):
            every.setdefault(server, {})[name] = _digest(document)
            text = json.dumps(every, indent=2, sort_keys=True) + "\n"
            (self.root / _AGREED).write_text(text, encoding="utf-8")

    def _agreements(self) -> dict[str, dict[str, str]]:
        try:
            return dict(json.loads((self.root / _AGREED).read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError):
            return {}


def _digest(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
