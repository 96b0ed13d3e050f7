"""The OpenAPI 3.1 document, made from the same declarations as the router."""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from notifier import __version__
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import (
    BUSY,
    MEDIA_TYPE,
    METHOD_NOT_ALLOWED,
    RATE_LIMITED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    Problem,
)
from notifier.api.kit.querying import MAX_SEQ
from notifier.api.kit.uploads import UploadRules
from notifier.api.kit.views import ProblemView
from notifier.audience.user_id import MAX_USER_ID_CHARS
from notifier.notification.model import JsonValue

_REF = "#/components/schemas/{model}"
_JSON = ("application/json",)
_PATH_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_ABOUT = """\
Accepts notifications by email, SMS and in-app, and delivers each at least once unless it fails for
good, expires, is suppressed or is cancelled.

Every answer that is no success is a problem (RFC 9457); its `code` never changes. Every POST that
changes something takes an `Idempotency-Key`. A service sees only its own notifications; the scope
`admin` sees all.
"""
_USER_ID: JsonValue = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_USER_ID_CHARS,
    "pattern": r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$",
}
_PATH_SCHEMAS: Mapping[str, JsonValue] = {
    "token": {"type": "string", "minLength": 1},
    "id": {"type": "string", "format": "uuid"},
    "template": {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,99}$"},
    "sender": {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$"},
    "category": {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$"},
    "topic": {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,99}$"},
    "rule": {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$"},
    "number": {"type": "integer", "minimum": 1, "maximum": 2_000_000_000},
    "seq": {"type": "integer", "minimum": 1, "maximum": MAX_SEQ},
    "name": {"type": "string", "pattern": "^[a-z_]{1,40}$"},
    "recipient": _USER_ID,
    "user_id": _USER_ID,
}
_HEADERS: Mapping[str, tuple[str, JsonValue]] = {
    "X-Request-ID": (
        "Names this request in notifier's log; taken over from the request if it had a fit one.",
        {"type": "string"},
    ),
    "RateLimit": (
        'What is left of the key\'s rate: `"default";r=<requests>;t=<seconds until reset>`.',
        {"type": "string"},
    ),
    "RateLimit-Policy": (
        'The key\'s rate: `"default";q=<requests>;w=<seconds>`.',
        {"type": "string"},
    ),
    "Location": ("Path of what was made.", {"type": "string", "format": "uri-reference"}),
    "ETag": ("Tells the states of a draft apart, for If-Match.", {"type": "string"}),
    "Idempotency-Replayed": (
        "`true`: this answer was given before, for the same Idempotency-Key.",
        {"type": "string", "const": "true"},
    ),
    "Retry-After": ("Seconds to wait.", {"type": "integer", "minimum": 0}),
    "WWW-Authenticate": ("How to authenticate.", {"type": "string"}),
    "Allow": ("The methods that there are.", {"type": "string"}),
}
_PROBLEM_HEADERS: Mapping[Problem, str] = {
    UNAUTHENTICATED: "WWW-Authenticate",
    METHOD_NOT_ALLOWED: "Allow",
    BUSY: "Retry-After",
    RATE_LIMITED: "Retry-After",
    UNAVAILABLE: "Retry-After",
}
_SECURITY: JsonValue = {
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "ntf_<id>_<secret>",
        "description": "An API key, made by `notifier keys create`; the one-process mode has its "
        "own in `.notifier/api-key`. Scopes: send, read, templates, recipients, "
        "broadcasts, schedules, admin (which implies all).",
    },
    "subscriberToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "nts_<claims>.<signature>",
        "description": "What POST /api/v1/inbox/tokens answers with, for one recipient's inbox.",
    },
}
_IDEMPOTENCY_KEY: JsonValue = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 255 printable ASCII characters, bare or quoted. The same request with the "
    "same key again gets the same answer and has no second effect.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 512, "pattern": "^[ -~]+$"},
}
_TRACEPARENT: JsonValue = {
    "name": "traceparent",
    "in": "header",
    "description": "W3C trace context; delivery continues this trace.",
    "schema": {"type": "string"},
}


class Description:
    """The document of `operations`, made when it is first asked for, beside the event loop.

    Making it takes as much as all else of the application, and few ask.
    """

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._operations = operations
        self._making = asyncio.Lock()
        self._made: Mapping[str, JsonValue] | None = None

    async def document(self) -> Mapping[str, JsonValue]:
        """The document; whoever asks while it is made waits for it."""
        async with self._making:
            if self._made is None:
                self._made = await asyncio.to_thread(openapi_document, self._operations)
        return self._made


def openapi_document(operations: Sequence[Operation]) -> dict[str, JsonValue]:
    """Describe `operations`, in the order given."""
    paths: defaultdict[str, dict[str, JsonValue]] = defaultdict(dict)
    for operation in operations:
        path = _PATH_PARAMETER.sub(r"{\1}", operation.path)
        paths[path][operation.method.lower()] = _operation(operation)
    components: dict[str, JsonValue] = {
        "schemas": _schemas(operations),
        "headers": {name: _header(name) for name in _HEADERS},
        "securitySchemes": _SECURITY,
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "notifier", "version": __version__, "description": _ABOUT},
        "paths": dict(paths),
        "components": components,
    }


def _operation(operation: Operation) -> JsonValue:
    described: dict[str, JsonValue] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": _parameters(operation),
        "responses": _responses(operation),
        "security": _security(operation),
    }
    scope = f"Needs the scope `{operation.scope}`." if operation.scope else "Needs no API key."
    described["description"] = f"{operation.description}\n\n{scope}".strip()
    if operation.upload:
        described["requestBody"] = {"required": True, "content": _files(operation.upload)}
    if operation.body:
        schema: JsonValue = {"$ref": _REF.format(model=operation.body.__name__)}
        schemas = operation.bodies or {"application/json": schema}
        content: JsonValue = {type: {"schema": each} for type, each in schemas.items()}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _security(operation: Operation) -> JsonValue:
    schemes = ["apiKey"] if operation.scope else []
    schemes += ["subscriberToken"] if operation.is_for_subscribers else []
    return [{scheme: []} for scheme in schemes]


def _files(rules: UploadRules) -> JsonValue:
    schema: JsonValue = {"type": "string", "format": "binary", "maxLength": rules.max_bytes}
    return {type: {"schema": schema} for type in rules.types}


def _parameters(operation: Operation) -> list[JsonValue]:
    found: list[JsonValue] = [
        {"name": name, "in": "path", "required": True, "schema": _PATH_SCHEMAS[name]}
        for name in _PATH_PARAMETER.findall(operation.path)
    ]
    found += _query_parameters(operation.query) if operation.query else []
    found += [
        {"name": h.name, "in": "header", "description": h.description, "schema": _json(h.schema)}
        for h in operation.headers
    ]
    if operation.is_idempotent:
        found.append(_IDEMPOTENCY_KEY)
    if operation.body:
        found.append(_TRACEPARENT)
    return found


def _query_parameters(model: type[BaseModel]) -> list[JsonValue]:
    schema = model.model_json_schema()
    required = schema.get("required", ())
    definitions = schema.get("$defs", {})
    return [
        _query_parameter(name, _inlined(each, definitions), is_required=name in required)
        for name, each in schema["properties"].items()
    ]


def _inlined(schema: Any, definitions: Mapping[str, JsonValue]) -> Any:
    """Return `schema` with what it refers to written out: components are of bodies and answers."""
    match schema:
        case {"$ref": str(name), **rest}:
            return {**_inlined(definitions[name.rpartition("/")[-1]], definitions), **rest}
        case dict():
            return {key: _inlined(each, definitions) for key, each in schema.items()}
        case list():
            return [_inlined(each, definitions) for each in schema]
        case _:
            return schema


def _query_parameter(name: str, schema: dict[str, JsonValue], *, is_required: bool) -> JsonValue:
    parameter: dict[str, JsonValue] = {"name": name, "in": "query", "schema": _non_null(schema)}
    if is_required:
        parameter["required"] = True
    if "description" in schema:
        parameter["description"] = schema["description"]
    if schema.get("type") == "object":
        parameter |= {"style": "deepObject", "explode": True}
    return parameter


def _non_null(schema: dict[str, JsonValue]) -> JsonValue:
    """Return `schema` as a query string can hold it: without null."""
    kept = {key: schema[key] for key in schema if key not in ("title", "description")}
    if "default" in kept and kept["default"] is None:
        del kept["default"]
    match kept.pop("anyOf", None):
        case [dict(only), {"type": "null"}]:
            return {**only, **kept}
        case _:
            return kept


def _responses(operation: Operation) -> JsonValue:
    by_status: defaultdict[int, list[Problem]] = defaultdict(list)
    for problem in operation.all_problems():
        by_status[problem.status].append(problem)
    responses: dict[str, JsonValue] = {
        str(status): _problem_response(problems, operation)
        for status, problems in sorted(by_status.items())
    }
    for status, reply in operation.replies.items():
        described = _reply(reply, operation)
        shared = responses.get(str(status))
        responses[str(status)] = _merged(described, shared) if shared else described
    return dict(sorted(responses.items()))


def _reply(reply: Reply, operation: Operation) -> JsonValue:
    names = [*reply.headers, *_common_headers(operation)]
    if operation.is_idempotent:
        names.append("Idempotency-Replayed")
    described: dict[str, JsonValue] = {
        "description": reply.description,
        "headers": _header_refs(names),
    }
    if reply.model:
        schema: JsonValue = {"$ref": _REF.format(model=reply.model.__name__)}
        described["content"] = {type: {"schema": schema} for type in reply.media_types}
    elif reply.media_types != _JSON:
        text: JsonValue = {"schema": {"type": "string"}}
        described["content"] = dict.fromkeys(reply.media_types, text)
    return described


def _problem_response(problems: Sequence[Problem], operation: Operation) -> JsonValue:
    words = "; ".join(f"`{each.code}`: {each.title}" for each in problems)
    names = [_PROBLEM_HEADERS[each] for each in problems if each in _PROBLEM_HEADERS]
    schema: JsonValue = {"$ref": _REF.format(model="ProblemView")}
    return {
        "description": words,
        "headers": _header_refs([*names, *_common_headers(operation)]),
        "content": {MEDIA_TYPE: {"schema": schema}},
    }


def _merged(first: JsonValue, second: JsonValue) -> JsonValue:
    """Describe one status that two kinds of answers have."""
    match first, second:
        case dict(), {"content": dict(other)} if isinstance(content := first.get("content"), dict):
            return {**first, "content": {**content, **other}}
        case _:
            return first


def _common_headers(operation: Operation) -> list[str]:
    return ["X-Request-ID", *(("RateLimit", "RateLimit-Policy") if operation.scope else ())]


def _header_refs(names: Sequence[str]) -> JsonValue:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in dict.fromkeys(names)}


def _header(name: str) -> JsonValue:
    description, schema = _HEADERS[name]
    return {"description": description, "schema": schema}


def _schemas(operations: Sequence[Operation]) -> JsonValue:
    taken = [each.body for each in operations if each.body]
    replies = [reply for each in operations for reply in each.replies.values()]
    shown = [model for reply in replies for model in (reply.model, reply.event)]
    given: list[type[BaseModel]] = [ProblemView, *filter(None, shown)]
    modes: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {}
    modes |= {(model, "validation"): None for model in taken}
    modes |= {(model, "serialization"): None for model in given}
    return _schemas_of(tuple(modes))


@cache
def _schemas_of(modes: Sequence[tuple[type[BaseModel], JsonSchemaMode]]) -> JsonValue:
    _, definitions = models_json_schema(modes, ref_template=_REF)
    return {name: _without_defaults(schema) for name, schema in definitions["$defs"].items()}


def _without_defaults(schema: dict[str, Any]) -> JsonValue:
    """Return a model's schema with the defaults of its fields in words.

    Generators of clients take a field that has a default for one that is always there.
    """
    fields: JsonValue = {
        name: _in_words(field) for name, field in schema.get("properties", {}).items()
    }
    return {**schema, "properties": fields} if fields else schema


def _in_words(field: dict[str, Any]) -> JsonValue:
    kept = {name: value for name, value in field.items() if name != "default"}
    default = field.get("default")
    if default is not None:
        told = f"If absent: `{json.dumps(default)}`."
        kept["description"] = f"{kept.get('description', '')} {told}".strip()
    return kept


def _json(schema: Mapping[str, object]) -> JsonValue:
    value: dict[str, JsonValue] = {}
    for name, part in schema.items():
        value[name] = part if isinstance(part, str | int) else str(part)
    return value
