"""Filling pages of our own: the same language as users' templates, in an environment apart."""

from collections.abc import Mapping
from importlib.resources.abc import Traversable

import minijinja


class TrustedPages:
    """Pages by name, from the files of a folder; values are escaped, and all that are named exist.

    They are as trusted as any code of ours: nothing bounds what they do.
    """

    def __init__(self, folder: Traversable) -> None:
        self._environment = minijinja.Environment(
            loader=lambda name: folder.joinpath(name).read_text(encoding="utf-8"),
            undefined_behavior="strict",
            auto_escape_callback=lambda _name: "html",
            trim_blocks=True,
            lstrip_blocks=True,
            debug=False,
            pycompat=False,
        )

    def rendered(self, name: str, values: Mapping[str, object]) -> str:
        """Return the page of this name, with these values."""
        return self._environment.render_template(name, **values)
