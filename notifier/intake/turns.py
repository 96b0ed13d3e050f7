"""Turns: of what waits, each owner's goes in order, and the owners' one after the other."""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Turns(Generic[Item]):
    """What waits, by owner. Who has much waiting delays nobody else by more than one item each."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[Item]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def owners(self) -> int:
        """How many owners have something waiting."""
        return len(self._lines)

    def of(self, owner: str) -> int:
        """How many of this owner wait."""
        return len(self._lines.get(owner, ()))

    def put(self, owner: str, items: Iterable[Item]) -> None:
        """Let these wait, in their order, behind what this owner has waiting."""
        line = self._lines.setdefault(owner, deque())
        before = len(line)
        line.extend(items)
        self._count += len(line) - before
        if not line:
            del self._lines[owner]

    def take(self) -> Item:
        """Take the next one; raises KeyError if nothing waits."""
        owner, line = self._lines.popitem(last=False)
        item = line.popleft()
        self._count -= 1
        if line:
            self._lines[owner] = line
        return item

    def drop_while(self, is_over: Callable[[Item], bool]) -> None:
        """Forget each owner's first ones as long as they are over."""
        for owner, line in list(self._lines.items()):
            while line and is_over(line[0]):
                line.popleft()
                self._count -= 1
            if not line:
                del self._lines[owner]
