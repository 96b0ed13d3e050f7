"""What a world must not see: real time, real chance, real sockets."""

import contextlib
import itertools
import os
import random
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from types import ModuleType
from typing import Any, NoReturn
from unittest import mock

import aio_pika.tools
import aiormq.base
import aiormq.channel
import uuid_utils.compat

from tests.simulation.loop import UnrealError
from tests.simulation.ordered import OrderedFrozenSet, OrderedSet, OrderedWeakSet

_ORDERED = {"set": OrderedSet, "frozenset": OrderedFrozenSet, "WeakSet": OrderedWeakSet}
"""What the broker's client iterates over while others wait."""


@contextlib.contextmanager
def unreal(now_s: Callable[[], float], epoch_s: float, chance: random.Random) -> Iterator[None]:
    """Replace the clocks, the sources of chance and the sockets of this OS process.

    Args:
        now_s: seconds since the world began.
        epoch_s: when it began, as a Unix time.
        chance: where ids and jitter come from.
    """
    with contextlib.ExitStack() as stack:
        _replace_clocks(stack, now_s, epoch_s)
        _replace_chance(stack, now_s, epoch_s, chance)
        for module in (aio_pika.tools, aiormq.base, aiormq.channel):
            for name, ordered in _ORDERED.items():
                stack.enter_context(mock.patch.object(module, name, ordered, create=True))
        stack.enter_context(mock.patch.object(socket, "socket", _refuse("a socket")))
        yield


def _replace_clocks(
    stack: contextlib.ExitStack, now_s: Callable[[], float], epoch_s: float
) -> None:
    _replace_everywhere(stack, time.time, lambda: epoch_s + now_s())
    _replace_everywhere(stack, time.monotonic, now_s)
    _replace_everywhere(stack, time.perf_counter, now_s)
    _replace_everywhere(stack, time.sleep, _refuse("time.sleep"))


def _replace_chance(
    stack: contextlib.ExitStack,
    now_s: Callable[[], float],
    epoch_s: float,
    chance: random.Random,
) -> None:
    numbers = itertools.count(1)

    def uuid4() -> uuid.UUID:
        return uuid.UUID(int=chance.getrandbits(128), version=4)

    def uuid7(*_given: object) -> uuid.UUID:
        high = int((epoch_s + now_s()) * 1_000) << 80
        return uuid.UUID(int=high | 7 << 76 | 2 << 62 | next(numbers))

    def system_random() -> random.Random:
        return random.Random(chance.random())

    random.seed(chance.random())
    _replace_everywhere(stack, os.urandom, chance.randbytes)
    _replace_everywhere(stack, uuid.uuid4, uuid4)
    _replace_everywhere(stack, uuid_utils.compat.uuid4, uuid4)
    _replace_everywhere(stack, uuid_utils.compat.uuid7, uuid7)
    stack.enter_context(mock.patch.object(random, "SystemRandom", system_random))


def _replace_everywhere(stack: contextlib.ExitStack, real: object, unreal_one: object) -> None:
    """Replace what modules hold under whatever name: `from time import monotonic` keeps it."""
    for module, name in _holders(real):
        stack.callback(setattr, module, name, real)
        setattr(module, name, unreal_one)


@cache
def _holders(real: object) -> Sequence[tuple[ModuleType, str]]:
    return [
        (module, name)
        for module in list(sys.modules.values())
        if module.__name__ != __name__
        for name, value in list(vars(module).items())
        if value is real
    ]


def _refuse(what: str) -> Callable[..., Any]:
    def refuse(*_arguments: object, **_options: object) -> NoReturn:
        raise UnrealError(f"a world reached for {what}")

    return refuse
