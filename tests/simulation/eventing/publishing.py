"""Publishing events, until each publisher was answered."""

import asyncio
from collections.abc import Sequence

from tests.simulation.audience.acts import Audience, picked, whom
from tests.simulation.audience.people import USER_IDS
from tests.simulation.eventing.story import Publication, story
from tests.simulation.loop import this_loop
from tests.simulation.operators import Operator
from tests.simulation.plan import Fault


def publish_events(world: Audience, fault: Fault) -> None:
    """Publish what happens to two people, over some time."""
    people = (whom(world, fault), picked(USER_IDS, fault.who * 7 % 1))
    name = f"{fault.at_s}-{fault.who}-{fault.level}"
    world.note_happening(fault, ())
    known: dict[str, Publication] = {}
    for at_s, events in story(fault.level, people, name):
        for event in events:
            if event["id"] not in known:
                known[event["id"]] = Publication(event, this_loop().time() + at_s)
                world.ended.publications.append(known[event["id"]])
        published = [known[event["id"]] for event in events]
        world.act(_publish(world.operator, published, at_s))


async def _publish(operator: Operator, published: Sequence[Publication], after_s: float) -> None:
    await asyncio.sleep(after_s)
    await operator.publish_all(published)
