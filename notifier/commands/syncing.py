"""Templates of a folder and of a server, brought together without losing anyone's changes."""

import difflib
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

from pydantic import ValidationError

from notifier.api.templates.shapes import ContentShape, ContentView
from notifier.commands.answering import Steps
from notifier.commands.calling import ApiClient, ApiError, LostRaceError, RefusedError
from notifier.commands.folders import TemplateFolder
from notifier.commands.showing import Answer, refused, told
from notifier.content.encoding import Document
from notifier.content.folder import (
    DESCRIPTION,
    FileFinding,
    Files,
    Standing,
    UnknownPartError,
    digest,
    document_of,
    files_of,
    in_file,
    standing,
)
from notifier.content.shared import mentioned
from notifier.content.template import Content, Finding, Severity
from notifier.expecting import expected
from notifier.notification.model import Channel

Findings: TypeAlias = Sequence[FileFinding]

_PAGE = "100"
CHANGED_THERE = (
    "not what the server had when this folder last agreed with it; pull first, or --force"
)
THERE_ALREADY = "there is another one; --force overwrites it"
CHANGED_BOTH = "changed here and on the server; see diff, then push or pull with --force"


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft on a server, as files."""

    files: Files
    etag: str
    findings: Findings


class Server:
    """The templates of a server."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        of = f" {client.service}" if client.service else ""
        self.place = client.url + of

    def names(self) -> Sequence[str]:
        """The templates that are not archived."""
        return sorted(self._published)

    def draft(self, name: str) -> Draft | None:
        """Return a draft, None if there is none."""
        found = self._client.get("templates", name, "draft")
        return None if found is None else _draft(found)

    def save(self, name: str, document: Mapping[str, Any], if_match: str | None) -> Draft:
        """Write a draft in place of the one with that ETag. Raises as `ApiClient.put` does."""
        saved = self._client.put("templates", name, "draft", body=document, if_match=if_match)
        return _draft(saved)

    def has_published(self, name: str) -> bool:
        """Whether anything of a template is published."""
        return self._published.get(name) is not None

    def is_sending(self, name: str, files: Files) -> bool:
        """Whether what is sent now says just that."""
        number = self._published.get(name)
        if number is None:
            return False
        whole = self._client.get("templates", name, "versions", str(number))
        return whole is not None and files_of(whole["content"]) == files

    def publish(self, name: str, etag: str) -> int:
        """Publish the draft with that ETag. Raises as `ApiClient.post` does."""
        done = self._client.post("templates", name, "publish", body={}, if_match=etag)
        return int(done["version"])

    @cached_property
    def _published(self) -> Mapping[str, int | None]:
        return {each["name"]: each["published"] for each in self._pages() if not each["archived"]}

    def _pages(self) -> Iterator[Mapping[str, Any]]:
        place: Mapping[str, str] = {}
        while True:
            page = self._client.get("templates", limit=_PAGE, **place)
            if page is None:
                raise ApiError(f"{self._client.url} has no templates: is this notifier's API?")
            yield from page["items"]
            if page["next"] is None:
                return
            place = {"after": parse_qs(urlsplit(page["next"]).query)["after"][0]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushing:
    """Writes templates of a folder to a server; `agreed` is what the server may have."""

    server: Server
    source: TemplateFolder
    agreed: Mapping[str, Collection[str]]
    agree: Callable[[str, str], None]
    is_forced: bool
    is_publishing: bool
    otherwise: str = CHANGED_THERE
    """What to say of one of which the server has what it may not."""
    renewed: set[str] = field(default_factory=set)
    """What was published: whatever takes it in is published again, too."""

    def push(self, name: str) -> Steps:
        """Write one, and publish it if that is asked for; False if anything went wrong."""
        content = content_of(self.source, name)
        if not isinstance(content, Content):
            return (yield from tell(self.source, name, content))
        try:
            draft = yield from self._written(name, _document(content))
        except (LostRaceError, RefusedError) as error:
            yield refused(name, str(error))
            return False
        self.agree(name, digest(draft.files))
        if waits_for := self._unpublished(content):
            words = f"{name}: looked at by the server once {', '.join(waits_for)} is published"
            yield told(words, name=name, did="waits", waits_for=waits_for)
            return True
        is_right = yield from tell(self.source, name, draft.findings)
        return is_right and (yield from self._published(name, draft, content))

    def _written(self, name: str, document: Document) -> Generator[Answer, None, Draft]:
        there = self.server.draft(name)
        if there and there.files == files_of(document):
            return there
        if there and not self._may_overwrite(name, there):
            raise LostRaceError(self.otherwise)
        saved = self.server.save(name, document, there.etag if there else None)
        yield told(f"{name}: draft written", name=name, did="draft_written")
        return saved

    def _unpublished(self, content: Content) -> Sequence[str]:
        """Return what it takes in of the folder that is not to be published now."""
        if self.is_publishing:
            return []
        here = set(mentioned(content)) & set(self.source.names())
        return sorted(each for each in here if not self.server.has_published(each))

    def _may_overwrite(self, name: str, there: Draft) -> bool:
        return self.is_forced or digest(there.files) in self.agreed.get(name, ())

    def _published(self, name: str, draft: Draft, content: Content) -> Steps:
        is_sent = self.renewed.isdisjoint(mentioned(content)) and self.server.is_sending(
            name, draft.files
        )
        if is_sent or not self.is_publishing:
            return True
        try:
            number = self.server.publish(name, draft.etag)
        except (LostRaceError, RefusedError) as error:
            yield refused(name, f"not published: {error}")
            return False
        self.renewed.add(name)
        yield told(
            f"{name}: version {number} published", name=name, did="published", version=number
        )
        return True


def with_taken_in(source: TemplateFolder, names: Sequence[str]) -> Sequence[str]:
    """Return the names, and those of what they take in, that before them."""
    wanted, every = set(names), in_order(source, source.names())
    for name in reversed(every):
        content = content_of(source, name) if name in wanted else None
        if isinstance(content, Content):
            wanted |= {*mentioned(content)} & {*every}
    return [name for name in every if name in wanted]


def in_order(source: TemplateFolder, names: Sequence[str]) -> Sequence[str]:
    """Return the names so that what others take in comes before them."""
    contents = {name: content_of(source, name) for name in names}
    taken = {
        name: [each for each in mentioned(content) if each in contents and each != name]
        for name, content in contents.items()
        if isinstance(content, Content)
    }
    try:
        ordered = TopologicalSorter(taken).static_order()
        return [*ordered, *(name for name in names if name not in taken)]
    except CycleError:  # the server says where
        return names


def content_of(folder: TemplateFolder, name: str) -> Content | Findings:
    """Read a template, or say what keeps its files from being one."""
    files = folder.files(name)
    if not isinstance(files, Mapping):
        return files
    document = document_of(files)
    if not isinstance(document, Mapping):
        return document
    try:
        return ContentShape.model_validate(document).content()
    except ValidationError as error:
        return [_misshapen(each["loc"], expected(each)) for each in error.errors(include_url=False)]


def pull(server: Server, folder: TemplateFolder, name: str, *, is_forced: bool) -> Steps:
    """Write a draft into a folder; False if it was changed in both, and so left alone."""
    there = server.draft(name)
    if there is None:
        return True
    stands = standing(_here(folder, name), there.files, folder.agreed(server.place).get(name))
    if stands is Standing.CHANGED_HERE and not is_forced:
        yield left_alone(name)
        return True
    if stands is Standing.CHANGED_BOTH and not is_forced:
        yield refused(name, CHANGED_BOTH)
        return False
    if stands is not Standing.SAME:
        folder.write(name, there.files)
        yield written(name)
    folder.agree(server.place, name, digest(there.files))
    return True


def differences(server: Server, folder: TemplateFolder, name: str) -> Sequence[str]:
    """Return the lines of a unified diff, from a server's draft to a folder's template."""
    draft = server.draft(name)
    there, here = draft.files if draft else {}, _here(folder, name) or {}
    lines: list[str] = []
    for path in sorted({*there, *here}):
        if there.get(path) != here.get(path):
            lines += difflib.unified_diff(
                there.get(path, "").splitlines(),
                here.get(path, "").splitlines(),
                f"{server.place}/{name}/{path}",
                (folder.root / name / path).as_posix(),
                lineterm="",
            )
    return lines


def digests(folder: TemplateFolder) -> Mapping[str, str]:
    """Return what tells the templates of a folder from others."""
    return {name: digest(_here(folder, name) or {}) for name in folder.names()}


def tell(folder: TemplateFolder, name: str, findings: Findings) -> Steps:
    """Tell findings; whether none of them is an error."""
    for each in findings:
        yield finding_told(each.within((folder.root / name).as_posix()))
    return not any(each.severity is Severity.ERROR for each in findings)


def finding_told(finding: FileFinding) -> Answer:
    """Say what is wrong in a file, and where."""
    return told(str(finding), **asdict(finding))


def written(name: str) -> Answer:
    """Say that it is in its folder now."""
    return told(f"{name}: written", name=name, did="written")


def left_alone(name: str) -> Answer:
    """Say that it stays as it is in its folder."""
    return told(f"{name}: changed here, left alone", name=name, did="left_alone")


def _here(folder: TemplateFolder, name: str) -> Files | None:
    """Return a template's files as they would be written, or as they are if it is none."""
    if name not in folder.names():
        return None
    content = content_of(folder, name)
    if isinstance(content, Content):
        return files_of(_document(content))
    files = folder.files(name)
    return files if isinstance(files, Mapping) else {}


def _document(content: Content) -> Document:
    """Write a content as the API shows and takes it."""
    return dict(ContentView.of(content).json_value())


def _draft(answer: Mapping[str, Any]) -> Draft:
    findings = [in_file(_finding(each)) for each in answer["findings"]]
    try:
        return Draft(files_of(answer["content"]), answer["etag"], findings)
    except UnknownPartError as error:
        words = f"{answer['name']} has {error}, which is newer than this version of notifier"
        raise ApiError(words) from None


def _finding(answer: Mapping[str, Any]) -> Finding:
    return Finding(
        severity=Severity(answer["severity"]),
        code=answer["code"],
        detail=answer["detail"],
        locale=answer["locale"],
        channel=Channel(answer["type"]) if answer["type"] else None,
        part=answer["part"],
        partial=answer.get("partial"),
        line=answer["line"],
        column=answer["column"],
    )


def _misshapen(place: Sequence[str | int], words: str) -> FileFinding:
    where = "/".join(map(str, place))
    return FileFinding(path=DESCRIPTION, code="file-shape", detail=f"/{where}: {words}")
