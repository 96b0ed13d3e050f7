"""The brand of a folder and of a server: `brand.json`, beside the templates."""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ValidationError

from notifier.api.templates.branding import BrandShape
from notifier.commands.answering import Steps
from notifier.commands.calling import ApiClient, LostRaceError, RefusedError
from notifier.commands.folders import TemplateFolder
from notifier.commands.showing import refused, told
from notifier.commands.syncing import (
    CHANGED_BOTH,
    CHANGED_THERE,
    Findings,
    finding_told,
    left_alone,
    written,
)
from notifier.content.brand import Brand, default_brand
from notifier.content.folder import FileFinding, Files, Standing, digest, json_text, standing
from notifier.expecting import expected

NAME = "brand.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandThere:
    """A server's brand, as a file."""

    service: str
    files: Files
    etag: str

    @property
    def is_default(self) -> bool:
        """Whether nothing was ever said of it."""
        return self.files == _files(default_brand(self.service))


@dataclass(frozen=True, slots=True)
class Branding:
    """Brings the brand of a folder and that of a server together."""

    client: ApiClient
    folder: TemplateFolder
    place: str

    def pull(self, *, is_forced: bool) -> Steps:
        """Write the server's into the folder; False if it was changed in both."""
        there = self._there()
        if there is None:
            return True
        match self._standing(there):
            case Standing.ONLY_THERE if there.is_default:
                return True
            case Standing.SAME:
                pass
            case Standing.CHANGED_HERE if not is_forced:
                yield left_alone(NAME)
                return True
            case Standing.CHANGED_BOTH if not is_forced:
                yield refused(NAME, CHANGED_BOTH)
                return False
            case _:
                (self.folder.root / NAME).write_text(there.files[NAME], encoding="utf-8")
                yield written(NAME)
        self.folder.agree(self.place, NAME, digest(there.files))
        return True

    def push(self, before: TemplateFolder | None, *, is_forced: bool) -> Steps:
        """Say the folder's on the server, if it has one; False if anything went wrong.

        The server may have what `before` has.
        """
        shape = brand_of(self.folder)
        if not isinstance(shape, BrandShape):
            return (yield from tell_of_brand(self.folder, shape or ()))
        there = self._there()
        if there is None:
            yield refused(NAME, "this server knows no brands")
            return False
        if self._standing(there) is not Standing.SAME:
            known = {self.folder.agreed(self.place).get(NAME), _digest(before, there.service)}
            if not is_forced and digest(there.files) not in known:
                yield refused(NAME, CHANGED_THERE)
                return False
            if not (yield from self._saved(shape, there)):
                return False
        self.folder.agree(self.place, NAME, digest(_files(shape.brand(there.service))))
        return True

    def differences(self) -> Sequence[str]:
        """Return the lines of a unified diff, from the server's to the folder's."""
        there = self._there()
        shape = brand_of(self.folder)
        if there is None or not isinstance(shape, BrandShape):
            return []
        return list(
            difflib.unified_diff(
                there.files[NAME].splitlines(),
                _files(shape.brand(there.service))[NAME].splitlines(),
                f"{self.place}/{NAME}",
                (self.folder.root / NAME).as_posix(),
                lineterm="",
            )
        )

    def _standing(self, there: BrandThere) -> Standing:
        shape = brand_of(self.folder)
        agreed = self.folder.agreed(self.place).get(NAME)
        if isinstance(shape, BrandShape):
            return standing(_files(shape.brand(there.service)), there.files, agreed)
        return Standing.ONLY_THERE if shape is None else Standing.CHANGED_BOTH

    def _there(self) -> BrandThere | None:
        found = self.client.get("brand")
        if found is None:
            return None
        said = {name: each for name, each in found.items() if name not in ("service", "etag")}
        return BrandThere(service=found["service"], files=_file(said), etag=found["etag"])

    def _saved(self, shape: BrandShape, there: BrandThere) -> Steps:
        body = shape.model_dump(exclude_none=True)
        try:
            self.client.put("brand", body=body, if_match=there.etag)
        except LostRaceError:
            yield refused(NAME, CHANGED_THERE)
            return False
        except RefusedError as error:
            yield refused(NAME, str(error))
            return False
        words = f"{NAME}: said; templates show it once they are published again"
        yield told(words, name=NAME, did="said")
        return True


def brand_of(folder: TemplateFolder) -> BrandShape | Findings | None:
    """Read a folder's brand; None if it has none, or what is wrong with it."""
    try:
        return BrandShape.model_validate(json.loads((folder.root / NAME).read_bytes()))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        return [
            _finding("file-shape", f"/{'/'.join(map(str, each['loc']))}: {expected(each)}")
            for each in error.errors(include_url=False)
        ]
    except (ValueError, RecursionError) as error:
        return [_finding("file-json", f"no JSON: {error}")]


def tell_of_brand(folder: TemplateFolder, findings: Findings) -> Steps:
    """Tell findings; whether there are none."""
    for each in findings:
        yield finding_told(each.within(folder.root.as_posix()))
    return not findings


def _digest(folder: TemplateFolder | None, service: str) -> str | None:
    shape = brand_of(folder) if folder else None
    return digest(_files(shape.brand(service))) if isinstance(shape, BrandShape) else None


def _finding(code: str, detail: str) -> FileFinding:
    return FileFinding(path=NAME, code=code, detail=detail)


def _files(brand: Brand) -> Files:
    return _file(asdict(brand))


def _file(said: Mapping[str, Any]) -> Files:
    return {NAME: json_text({name: each for name, each in said.items() if each is not None})}
