"""Rows of templates, drafts and versions, as what they stand for."""

from typing import Any

from sqlalchemy import Row

from notifier.content.encoding import decode
from notifier.content.library import Template, TemplateDraft
from notifier.content.template import TemplateVersion
from notifier.notification.model import Channel


def to_template(row: Row[Any]) -> Template:
    """Return a template."""
    return Template(
        service=row.service,
        name=row.name,
        published=row.published,
        is_archived=row.is_archived,
        updated_at=row.updated_at,
        channels=frozenset(each for each in Channel if getattr(row, f"has_{each}")),
        is_partial=row.is_partial,
    )


def to_draft(row: Row[Any], next_number: int) -> TemplateDraft:
    """Return a draft; `next_number` is that of the version it would be."""
    return TemplateDraft(
        service=row.service,
        name=row.name,
        content=decode(row.content),
        etag=row.etag,
        updated_at=row.updated_at,
        next_number=next_number,
    )


def to_version(row: Row[Any]) -> TemplateVersion:
    """Return a version, as it is filled."""
    return TemplateVersion(
        id=row.id,
        service=row.service,
        name=row.name,
        number=row.number,
        content=decode(row.content),
        checksum=row.checksum,
        created_at=row.created_at,
    )
