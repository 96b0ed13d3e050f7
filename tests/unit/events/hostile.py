"""Expressions that are written to hurt, each tried on data that is made for it.

`python -m tests.unit.events.hostile` tries all of them within the memory of two processes more
than it has, prints what took longest, and dies if one takes too much.
"""

import resource
from time import perf_counter

from notifier.events.expressions import Context
from notifier.notification.model import JsonValue
from notifier.rendering.expressions import ExpressionEngine

ALLOWED_BYTES = 64_000_000
_DEEP: JsonValue = 1
for _ in range(90):
    _DEEP = [_DEEP, 1]
_SMALL: dict[str, JsonValue] = {
    "s": "a",
    "n": [1],
    "o": {"k1": 1},
    "v": "a",
    "w": "a",
    "i": 3,
    "f": 1e300,
    "deep": _DEEP,
}
DATA: dict[str, JsonValue] = {
    "a long text": {**_SMALL, "s": "a" * 95_000, "i": 10**4_000},
    "two equal texts": {**_SMALL, "v": "a" * 47_000, "w": "".join(["a"] * 47_000)},
    "many numbers": {**_SMALL, "n": [1] * 46_000},
    "many different numbers": {**_SMALL, "n": [*range(18_000)]},
    "many objects": {
        **_SMALL,
        "n": [{"x": each} for each in range(10_000)],
        "o": {f"k{each}": {f"a{each}": each} for each in range(300)},
    },
    "only a text": "a" * 99_000,
}
GROWING = [
    "data~" * 99 + "data",
    "data.s" + "~data.s" * 70,
    "data.n" + "+data.n" * 60,
    "data.n" + "~data.n" * 60,
    "data.o" + "~data.o" * 60,
    "[data.v" + ",data.w" * 60 + "]~''",
    "[data.s" + ",data.s" * 60 + "]",
    "'a' * 10**9",
    "9**9**9",
    "[data.v] * 100000",
    "([data.v] * 100000)|string",
    "([data.v] * 100000)|join",
    "'\\'' * 10**9",
    "range(10**9)",
    "data.s|replace('', data.s)",
    "data.s|indent(10**6)",
    "'%999999999s'|format(1)",
    "data.n|map('replace', '1', data.s)",
    "data.n|map(attribute='x', default=data.s)",
    "data.n|batch(1)|list",
    "data.n|join(data.s)",
    "data.i|times(data.i)",
    "1" * 490,
    "1e308 + 1e308",
]
SLOW = [
    "data.n|select('in', data.n)|length",
    "data.n|select('in', data.s)|length",
    "data.n|selectattr('x', 'in', data.n)|length",
    "data.n" + "|select('eq', data.n)" * 20,
    "data.n" + "|sort" * 90,
    "data.n|sort(attribute='x')",
    "data.n|unique|length",
    "data.n|max",
    "data.n == data.n",
    "data.n" + " in data.n" * 40,
    "data.o" + " == data.o" * 40,
    "[data.v" + ",data.w" * 29 + "] == [data.w" + ",data.v" * 29 + "]",
    "data.s" + "|upper|lower" * 40,
    "data.s" + "[::-1]" * 80,
    "data.deep|sort|length",
]
DEEP = [
    "-" * 499 + "1",
    "not " * 120 + "1",
    "1" + "~1" * 249,
    "data" + ".b" * 248,
    "data" + "[0]" * 160,
    "data" + "()" * 240,
    "1" + "|int" * 120,
    "(" * 240 + "1" + ")" * 240,
    "[" * 240 + "]" * 240,
    "{'a':" * 90 + "1",
    "1" + " if 1" * 80,
    "1" + "//1" * 160,
    "1" + " and 1" * 80,
]
REACHING = [
    "data.__class__.__mro__",
    "data.o.items.__globals__",
    "data.n.__mul__(100000)",
    "data.o.clear()",
    "data.n.append(1)",
    "data.s.upper()",
    "cycler(1)",
    "joiner()",
    "namespace()",
    "debug()",
    "self",
    "1 // 0",
    "data.items.__self__",
]
ALL = [*GROWING, *SLOW, *DEEP, *REACHING]


def main() -> None:
    """Try all of them."""
    engine = ExpressionEngine()
    contexts = [engine.context({"data": each}) for each in DATA.values()]
    _allow(ALLOWED_BYTES)
    slowest = max(_took_s(engine, text, each) for text in ALL for each in contexts)
    print(f"the slowest took {slowest:.3f} s")  # noqa: T201  what it is run for


def _took_s(engine: ExpressionEngine, text: str, context: object) -> float:
    assert isinstance(context, Context)
    began_s = perf_counter()
    engine.fault(text)
    engine.value(text, context)
    return perf_counter() - began_s


def _allow(more_bytes: int) -> None:
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123  no file
        used = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more_bytes, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
