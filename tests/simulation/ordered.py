"""Sets in the order in which things came: by their addresses it is another in each run."""

import weakref
from collections.abc import Iterable, Iterator, MutableSet
from typing import Any, TypeVar

T = TypeVar("T")


class OrderedSet(MutableSet[T]):
    """As the built-in one, and `pop` takes the oldest."""

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._items: dict[T, None] = dict.fromkeys(items)

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._items))

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: T) -> None:
        self._items[item] = None

    def discard(self, item: T) -> None:
        self._items.pop(item, None)

    def copy(self) -> "OrderedSet[T]":
        """Another with the same items."""
        return OrderedSet(self._items)


class OrderedFrozenSet(OrderedSet[T]):
    """One that nobody changes, as the product's libraries see to themselves."""


class OrderedWeakSet(weakref.WeakSet[T]):
    """As the standard library's."""

    data: Any

    def __init__(self, items: Iterable[T] = ()) -> None:
        super().__init__()
        self.data = OrderedSet()
        for item in items:
            self.add(item)
