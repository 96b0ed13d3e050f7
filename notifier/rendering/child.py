"""The process for sources that may come to anything: `python -m notifier.rendering.child`.

It meets what was never published, and what was but cannot be told to be small. A source can end
it, and that is what it is for: it holds nothing, and may use little. It reads
questions from its standard input, frames of JSON, and ends with it, as when its parent dies.
"""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

from notifier.content.encoding import Document, read_content
from notifier.content.template import Content
from notifier.errors import TemplateError
from notifier.notification.model import Channel
from notifier.notification.sms import SmsRules
from notifier.rendering.checking.check import check
from notifier.rendering.framing import HEADER, ROOMY, framed
from notifier.rendering.pages import Finisher
from notifier.rendering.parts import Parts
from notifier.rendering.previewing import preview
from notifier.rendering.wire import (
    checked_document,
    preview_document,
    read_offered,
    read_shared,
)

MEMORY_BYTES = 700_000_000
STACK_BYTES = 1_048_576
ROOMY_STACK_BYTES = 8 * STACK_BYTES
CPU_S = 2
"""For one question, at most; the kernel counts whole seconds."""


def main() -> None:
    """Answer questions until there are no more, on a small stack.

    Chains of operators take stack for each link. What gets through here has eight times as much
    where it is filled.
    """
    threading.stack_size(ROOMY_STACK_BYTES if ROOMY in sys.argv else STACK_BYTES)
    worker = threading.Thread(target=serve)
    worker.start()
    worker.join()


def serve() -> None:
    """Answer questions until there are no more."""
    questions = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # no library's word is taken for an answer
    _limit_memory()
    _answer(answers, {"ready": True})
    while (question := _next(questions)) is not None:
        _limit_cpu()
        _answer(answers, answer(question))


def answer(question: Document) -> Document:
    """Do what is asked."""
    content = read_content(question["content"])
    if question["do"] == "check":
        rules = SmsRules(**question["sms"])
        return checked_document(check(content, read_shared(question["shared"]), rules))
    if question["do"] == "fill":
        return _fill(content, question)
    shared = question["shared"]
    found = preview(
        content,
        Channel(question["channel"]),
        locale=question["locale"],
        variables=question["variables"],
        offered=read_offered(question["offered"]),
        now=question["now"],
        default_zone=question["default_zone"],
        shared=None if shared is None else read_shared(shared),
    )
    return preview_document(found)


def _fill(content: Content, question: Document) -> Document:
    try:
        rendered = Parts(content, Finisher()).filled(
            Channel(question["channel"]),
            locale=None,
            variables=question["variables"],
            offered=read_offered(question["offered"]),
            now=question["now"],
            default_zone=question["default_zone"],
        )
    except TemplateError as error:
        return {"fault": str(error)}
    return preview_document(rendered)


def _next(questions: BinaryIO) -> Document | None:
    header = questions.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    (size,) = HEADER.unpack(header)
    question: Any = json.loads(questions.read(size))
    return dict(question)


def _answer(answers: BinaryIO, document: Document) -> None:
    answers.write(framed(document))
    answers.flush()


def _limit_memory() -> None:
    if sys.platform == "linux":
        # Where memory runs out first, this one goes, and not who asks it.
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  not on every system

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_cpu() -> None:
    """Allow this question what it may use; the kernel ends what goes on."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  not on every system

        used = resource.getrusage(resource.RUSAGE_SELF)
        spent = int(used.ru_utime + used.ru_stime)
        resource.setrlimit(resource.RLIMIT_CPU, (spent + CPU_S, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
