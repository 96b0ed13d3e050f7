"""Filling versions: here if that is sure to take little, or else in a process of its own."""

from collections.abc import Sequence
from uuid import UUID

from notifier.clock import Clock
from notifier.content.ports import Offered
from notifier.content.template import (
    MOST_KEPT_CHARS,
    Rendered,
    TemplateVersion,
    VariableFault,
    Variables,
    kept_weight,
)
from notifier.errors import TemplateError
from notifier.kept import Kept
from notifier.notification.model import Channel
from notifier.rendering.aside import Aside
from notifier.rendering.faults import PartError
from notifier.rendering.formats import UTC
from notifier.rendering.pages import Finisher
from notifier.rendering.parts import Parts
from notifier.rendering.schemas import Schema


class VersionRenderer:
    """Fills versions, each read once and kept as long as it is among the last used."""

    def __init__(
        self,
        clock: Clock,
        *,
        default_zone: str = UTC,
        most_chars: int = MOST_KEPT_CHARS,
        aside: Aside | None = None,
    ) -> None:
        """In `default_zone` are the clocks of people of whom nobody knows where they are."""
        self._clock = clock
        self._default_zone = default_zone
        self._versions: Kept[UUID, _Version] = Kept(
            most_chars, clock, weigh=lambda read: read.weight
        )
        self._finisher = Finisher()
        self._aside = aside or Aside()

    def completed(
        self, version: TemplateVersion, variables: Variables
    ) -> Variables | Sequence[VariableFault]:
        """Return the variables with the schema's defaults, or all that is wrong with them.

        Raises:
            TemplateError: the schema is none, which no published one is.
        """
        return self._read(version).schema.completed(variables)

    async def render(
        self,
        version: TemplateVersion,
        channel: Channel,
        *,
        locale: str | None,
        variables: Variables,
        offered: Offered,
    ) -> Rendered:
        """Fill the parts of a channel in the best locale.

        Raises:
            TemplateError: it has no parts for the channel, or they cannot be filled; names the
                part and its line, and no value.
            WorkshopUnavailableError: they need a process of their own, and none is to be had.
        """
        parts, now = self._read(version).parts, self._clock.now().isoformat()
        alone = parts.alone(channel, locale)
        if alone is None or parts.are_small(channel, locale, variables, offered):
            return parts.filled(
                channel,
                locale=locale,
                variables=variables,
                offered=offered,
                now=now,
                default_zone=self._default_zone,
            )
        return await self._aside.filled(
            alone,
            channel,
            variables=variables,
            offered=offered,
            now=now,
            default_zone=self._default_zone,
        )

    def _read(self, version: TemplateVersion) -> "_Version":
        read = self._versions.get(version.id)
        if read is None:
            read = _Version(version, self._finisher)
            self._versions.keep(version.id, read)
        return read


class _Version:
    def __init__(self, version: TemplateVersion, finisher: Finisher) -> None:
        self.weight = kept_weight(version)
        self.parts = Parts(version.content, finisher)
        try:
            self.schema = Schema(version.content.schema)
        except PartError as fault:
            raise TemplateError(f"its schema is none: {fault.words}") from None
