"""Putting together what a part is made of: its layout, and the partials that it takes in.

What comes of it is one source, so that all who look at it see the whole: what is printed where,
what grows, what is read. A layout's blocks and partials are put where they stand, word for word.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from notifier.content.shared import Shared
from notifier.content.template import Content, locale_chain
from notifier.rendering.checking.findings import Line, Place
from notifier.rendering.checking.scanning import Kind, spans
from notifier.rendering.faults import PartError
from notifier.rendering.limits import MAX_INCLUDED, MAX_SOURCE_BYTES

CONTENT = "content"
"""The block of a layout where the template goes."""

_WORD = re.compile(r"[-+]?\s*(\w+)")
_INCLUDED = re.compile(r"include\s+(?:\"([^\"]*)\"|'([^']*)')\Z")
_BLOCK = re.compile(r"block\s+(\w+)", re.ASCII)
_MJ_INCLUDED = re.compile(r"<mj-include\s+path=\"([^\"{}]*)\"\s*(?:/>|>\s*</mj-include>)")
_ELSEWHERE = frozenset({"extends", "import", "from"})
_COST = 20
"""Characters that an include counts for, beyond its own."""


@dataclass(frozen=True, slots=True)
class _Tag:
    """A tag that puts something in a place: where it stands, and what it names."""

    start: int
    end: int
    word: str
    name: str


@dataclass(frozen=True, slots=True)
class _Source:
    """A source, whose it is (None: the template's own), and its tags."""

    text: str
    partial: str | None
    tags: Sequence[_Tag]

    def located(self, code: str, words: str, at: int) -> PartError:
        """Return what is wrong there."""
        before = self.text[:at]
        column = at - before.rfind("\n")
        line = before.count("\n") + 1
        return PartError(code, words, line=line, column=column, partial=self.partial)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of one source."""

    source: _Source
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Whole:
    """What a part is made of, put together, and where each piece of it comes from."""

    text: str
    uses: frozenset[str]
    """Names of what was put in."""
    foreign: frozenset[str]
    """Those of them that are in another language than the part."""
    _starts: Sequence[int]
    _stretches: Sequence[_Stretch]

    def origin(self, line: int | None, column: int | None) -> Line:
        """Return the partial, line and column that a place in the text comes from."""
        if line is None or not self._stretches:
            return None, line, column
        lines = self.text.split("\n")
        at = sum(len(each) + 1 for each in lines[: line - 1]) + (column or 1) - 1
        index = max(0, bisect_right(self._starts, at) - 1)
        stretch = self._stretches[index]
        before = stretch.source.text[: stretch.start + at - self._starts[index]]
        there = len(before) - before.rfind("\n") if column else None
        return stretch.source.partial, before.count("\n") + 1, there


def put_together(source: str, place: Place, content: Content, shared: Shared) -> Whole:
    """Return what a part is made of, with all that it takes in.

    Raises:
        PartError: it takes in what there is not, or too much, or itself.
    """
    putting = _Putting(place, content, shared)
    own = _read(source, None, place.part or "")
    if content.layout is None or not putting.is_laid_out(content.layout):
        putting.put(own, 0, len(source), {})
    else:
        putting.put_in(content.layout, own)
    return putting.whole()


class _Putting:
    def __init__(self, place: Place, content: Content, shared: Shared) -> None:
        assert place.channel  # noqa: S101  a part has one
        self._locale, self._channel = place.locale or "", place.channel
        self._name = place.part or ""
        self._content = content
        self._shared = shared
        self._left = MAX_SOURCE_BYTES
        self._stretches: list[_Stretch] = []
        self._names: list[str] = []
        self._uses: set[str] = set()
        self._foreign: set[str] = set()
        self._sources: dict[str, _Source] = {}

    def whole(self) -> Whole:
        texts = [each.source.text[each.start : each.end] for each in self._stretches]
        starts, at = [], 0
        for text in texts:
            starts.append(at)
            at += len(text)
        uses, foreign = frozenset(self._uses), frozenset(self._foreign)
        return Whole("".join(texts), uses, foreign, starts, self._stretches)

    def is_laid_out(self, layout: str) -> bool:
        """Whether a layout has this part; html and MJML are nothing without."""
        partial = self._shared.partials.get(layout)
        if partial is None or self._name in ("html", "mjml"):
            return True
        locales = partial.content.parts.values()
        return any(self._name in each.get(self._channel, {}) for each in locales)

    def put_in(self, layout: str, own: _Source) -> None:
        """Put the template into its layout."""
        outer = self._partial(layout, own, None)
        blocks = _blocks(outer.tags)
        if CONTENT not in blocks:
            words = f"{layout} is no layout: it has no {{% block {CONTENT} %}}"
            raise PartError("layout", words, partial=layout)
        mine = _outermost(own.tags)
        for name, (opening, _) in mine.items():
            if name == CONTENT or name not in blocks:
                raise own.located("layout", _why_no_block(layout, name, blocks), opening.start)
        fills = {
            name: [_Stretch(own, opening.end, closing.start)]
            for name, (opening, closing) in mine.items()
        }
        self._names.append(layout)
        self.put(outer, 0, len(outer.text), {**fills, CONTENT: _between(own, mine)})
        self._names.pop()

    def put(
        self, source: _Source, start: int, end: int, fills: Mapping[str, Sequence[_Stretch]]
    ) -> None:
        """Put a stretch of a source, with what its tags name."""
        at = start
        within = [each for each in source.tags if start <= each.start and each.end <= end]
        for tag in within:
            if tag.start < at:
                continue
            self._copy(source, at, tag.start)
            at = tag.end
            match tag.word:
                case "include":
                    self._include(tag, source)
                case "block":
                    closing = _closing(source.tags, tag)
                    self._block(source, tag, closing, fills)
                    at = closing.end
                case _:
                    words = "the draft names its layout, and partials are included"
                    raise source.located("include", words, tag.start)
        self._copy(source, at, end)

    def _block(
        self,
        source: _Source,
        opening: _Tag,
        closing: _Tag,
        fills: Mapping[str, Sequence[_Stretch]],
    ) -> None:
        if opening.name not in fills:
            self.put(source, opening.end, closing.start, fills)
            return
        layout = self._names.pop()
        for each in fills[opening.name]:
            self.put(each.source, each.start, each.end, {})
        self._names.append(layout)

    def _include(self, tag: _Tag, source: _Source) -> None:
        if not tag.name:
            words = 'an include names its partial in quotes: {% include "footer" %}'
            raise source.located("include", words, tag.start)
        if tag.name in self._names:
            way = " > ".join([*self._names, tag.name])
            raise source.located("include-circular", f"it takes in itself: {way}", tag.start)
        if len(self._names) >= MAX_INCLUDED:
            words = f"partials within partials, more than {MAX_INCLUDED}"
            raise source.located("too-deep", words, tag.start)
        found = self._partial(tag.name, source, tag)
        self._names.append(tag.name)
        # As the engine has it: the last line's end is not part of what is included.
        self.put(found, 0, len(found.text.removesuffix("\n")), {})
        self._names.pop()

    def _partial(self, name: str, source: _Source, tag: _Tag | None) -> _Source:
        at = tag.start if tag else 0
        if name not in self._shared.partials:
            words = f"there is no partial {name[:100]}, or nothing of it is published"
            raise source.located("include-unknown", words, at)
        if name not in self._sources:
            text = self._part_of(name)
            if text is None:
                channel = self._channel.value
                words = f"the partial {name} has no {self._name} for {channel} in {self._locale}"
                raise source.located("include-unknown", words, at)
            self._sources[name] = _read(text, name, self._name)
        self._uses.add(name)
        self._spend(_COST, source, at)
        return self._sources[name]

    def _part_of(self, name: str) -> str | None:
        """Return the partial's part in the best language; part and channel are this one's."""
        partial = self._shared.partials[name].content
        chain = locale_chain(self._locale, self._content.default_locale)
        for locale in [*chain, partial.default_locale]:
            text = partial.parts.get(locale, {}).get(self._channel, {}).get(self._name)
            if text is not None:
                is_other = locale.partition("-")[0] != self._locale.partition("-")[0]
                if is_other and len(partial.parts) > 1:
                    self._foreign.add(name)
                return text
        return None

    def _copy(self, source: _Source, start: int, end: int) -> None:
        if start < end:
            self._spend(end - start, source, start)
            self._stretches.append(_Stretch(source, start, end))

    def _spend(self, chars: int, source: _Source, at: int) -> None:
        self._left -= chars
        if self._left < 0:
            words = f"with what it takes in, longer than {MAX_SOURCE_BYTES // 1000} kB"
            raise source.located("too-long", words, at)


def _read(text: str, partial: str | None, part: str) -> _Source:
    tags = []
    for kind, start, end in spans(text):
        if kind is Kind.TAG and (tag := _tag(text, start, end)):
            tags.append(tag)
        elif kind is Kind.TEXT and part == "mjml":
            found = _MJ_INCLUDED.finditer(text, start, end)
            tags += [_Tag(each.start(), each.end(), "include", each[1]) for each in found]
    return _Source(text, partial, tags)


def _tag(text: str, start: int, end: int) -> _Tag | None:
    """Return a tag that puts something in its place, with the white space that it trims."""
    inside = text[start:end]
    found = _WORD.match(inside)
    word = found[1] if found else ""
    if word not in ("include", "block", "endblock") and word not in _ELSEWHERE:
        return None
    bare = inside.strip("-+ \t\r\n")
    first, last = start - 2, end + 2
    if inside.startswith("-"):
        first = len(text[:first].rstrip())
    if inside.endswith("-"):
        last = len(text) - len(text[last:].lstrip())
    included, block = _INCLUDED.match(bare), _BLOCK.match(bare)
    name = (included[1] or included[2] or "") if included else block[1] if block else ""
    return _Tag(first, last, word, name)


def _closing(tags: Sequence[_Tag], opening: _Tag) -> _Tag:
    depth = 0
    for tag in tags[tags.index(opening) :]:
        depth += {"block": 1, "endblock": -1}.get(tag.word, 0)
        if depth == 0:
            return tag
    raise PartError("syntax", f"the block {opening.name[:80]} has no end")


def _blocks(tags: Sequence[_Tag]) -> Mapping[str, _Tag]:
    return {each.name: each for each in tags if each.word == "block"}


def _outermost(tags: Sequence[_Tag]) -> Mapping[str, tuple[_Tag, _Tag]]:
    found: dict[str, tuple[_Tag, _Tag]] = {}
    at = 0
    for tag in tags:
        if tag.word == "block" and tag.start >= at:
            closing = _closing(tags, tag)
            found[tag.name] = (tag, closing)
            at = closing.end
    return found


def _between(own: _Source, blocks: Mapping[str, tuple[_Tag, _Tag]]) -> Sequence[_Stretch]:
    """What stands outside of blocks."""
    left, at = [], 0
    for opening, closing in blocks.values():
        left.append(_Stretch(own, at, opening.start))
        at = closing.end
    return [*left, _Stretch(own, at, len(own.text))]


def _why_no_block(layout: str, name: str, blocks: Mapping[str, _Tag]) -> str:
    if name == CONTENT:
        return f"what stands outside of blocks is the content; leave the block {CONTENT} out"
    others = ", ".join(sorted(set(blocks) - {CONTENT})) or "none but its content"
    return f"the layout {layout} has no block {name[:80]}; it has {others}"
