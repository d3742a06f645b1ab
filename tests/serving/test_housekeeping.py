"""A worker's housekeeping: crowds of connections are no work for the collector, and what they leave is found."""

import asyncio
import gc
import weakref

import pytest

from serving.housekeeping import CROWD, Census, Housekeeper


class Node:
    """Part of a cycle, as a connection could be."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def collector():
    """Only full collections that are asked for; afterwards as it was."""
    before = gc.get_threshold()
    gc.set_threshold(0)
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def is_looked_at(node: Node) -> bool:
    """Whether a full collection looks at it."""
    return any(one is node for one in gc.get_objects())


def keep(scenario):
    """Run what has a housekeeper and a list of open connections."""

    async def run():
        closed = 0
        connections: list[Node] = []

        def census():
            return Census(closed + len(connections), len(connections))

        def close_all():
            nonlocal closed
            closed += len(connections)
            connections.clear()

        scenario(Housekeeper(census), connections, close_all)

    asyncio.run(run())


def test_each_connection_of_a_crowd_is_looked_at_once():
    def scenario(keeper, connections, _):
        for _ in range(3):
            connections += [Node() for _ in range(CROWD)]
            assert is_looked_at(connections[-1])
            keeper.exempt_crowd()
            assert not is_looked_at(connections[-1])
        connections.append(Node())
        keeper.tidy()
        assert is_looked_at(connections[-1])
        assert not is_looked_at(connections[0])

    keep(scenario)


def test_a_crowd_that_is_replaced_is_exempted_anew_and_a_few_that_come_and_go_are_not():
    def scenario(keeper, connections, close_all):
        connections += [Node() for _ in range(CROWD)]
        keeper.exempt_crowd()
        close_all()
        connections += [Node() for _ in range(CROWD)]
        keeper.exempt_crowd()
        assert not is_looked_at(connections[0])
        for _ in range(CROWD):
            close_all()
            connections += [Node()]
            keeper.exempt_crowd()
        assert is_looked_at(connections[0])

    keep(scenario)


def test_cycles_that_a_crowd_leaves_are_found_when_it_has_gone():
    def scenario(keeper, connections, close_all):
        connections += [Node() for _ in range(CROWD)]
        left = weakref.ref(connections[0])
        keeper.exempt_crowd()
        keeper.tidy()
        assert left()
        close_all()
        keeper.tidy()
        assert left() is None

    keep(scenario)


def test_cycles_of_a_worker_without_a_crowd_are_found():
    def scenario(keeper, connections, close_all):
        connections += [Node() for _ in range(CROWD - 1)]
        left = weakref.ref(connections[0])
        keeper.exempt_crowd()
        close_all()
        keeper.tidy()
        assert left() is None

    keep(scenario)
