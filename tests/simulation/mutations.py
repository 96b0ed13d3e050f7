"""Taking a mechanism out of notifier, in this process: for a world in its fork."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from functools import cached_property
from types import CodeType, FunctionType, ModuleType
from typing import Any


class Mutation:
    """Text of a module that occurs once in it, and what stands in its place.

    Raises:
        ValueError: the text does not occur exactly once.
    """

    def __init__(self, module: str, old: str, new: str) -> None:
        self._module = importlib.import_module(module)
        self._source = inspect.getsource(self._module)
        found = self._source.count(old)
        if found != 1:
            raise ValueError(f"{module} has this {found} times, not once: {old}")
        self._changed = self._source.replace(old, new)

    def apply(self) -> None:
        """Change the functions that differ, and make anew the constants that come of them.

        Raises:
            ValueError: nothing that this process has would change.
        """
        old = {code.co_qualname: code for code in _codes(self._code(self._source))}
        replaced = set()
        for code in _codes(self._code(self._changed)):
            if not _is_same(code, old.get(code.co_qualname)):
                function = _function(self._module, code.co_qualname)
                if function is not None:
                    function.__code__ = code
                    replaced.add(code.co_qualname)
        remade = self._remake({name.partition(".")[0] for name in replaced})
        if not replaced and not remade:
            raise ValueError(f"nothing of {self._module.__name__} is changed")

    def _code(self, source: str) -> CodeType:
        return compile(source, str(self._module.__file__), "exec")

    def _remake(self, changed: set[str]) -> bool:
        """Run again the assignments of the module that differ, or use what does."""
        is_any = False
        for statement in self._tree.body:
            if not isinstance(statement, ast.Assign | ast.AnnAssign):
                continue
            if ast.dump(statement) in self._known and not changed & set(_loaded(statement)):
                continue
            alone = ast.Module([statement], [])
            exec(compile(alone, str(self._module.__file__), "exec"), vars(self._module))  # noqa: S102
            changed |= set(_stored(statement))
            is_any = True
        return is_any

    @cached_property
    def _tree(self) -> ast.Module:
        return ast.parse(self._changed)

    @cached_property
    def _known(self) -> set[str]:
        return {ast.dump(statement) for statement in ast.parse(self._source).body}


def _codes(code: CodeType) -> Iterator[CodeType]:
    """All code of a module's functions, without what is local to them."""
    for const in code.co_consts:
        if isinstance(const, CodeType) and "<" not in const.co_qualname:
            yield const
            yield from _codes(const)


def _is_same(one: CodeType, other: CodeType | None) -> bool:
    """Whether they do the same, wherever they stand."""
    if other is None:
        return False
    consts = zip(one.co_consts, other.co_consts, strict=False)
    return (
        (one.co_code, one.co_names, len(one.co_consts))
        == (other.co_code, other.co_names, len(other.co_consts))
    ) and all(
        _is_same(here, there)
        if isinstance(here, CodeType) and isinstance(there, CodeType)
        else (type(here), here) == (type(there), there)
        for here, there in consts
    )


def _function(module: ModuleType, name: str) -> FunctionType | None:
    """The function of this name; None for a class."""
    found: Any = module
    for part in name.split("."):
        found = inspect.getattr_static(found, part)
        found = getattr(found, "fget", None) or getattr(found, "__func__", None) or found
        if hasattr(found, "cache_clear"):
            found.cache_clear()
        while hasattr(found, "__wrapped__"):
            found = found.__wrapped__
    return found if isinstance(found, FunctionType) else None


def _names(statement: ast.stmt, context: type[ast.expr_context]) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, context):
            yield node.id


def _loaded(statement: ast.stmt) -> Iterator[str]:
    return _names(statement, ast.Load)


def _stored(statement: ast.stmt) -> Iterator[str]:
    return _names(statement, ast.Store)
