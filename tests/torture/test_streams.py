"""Byte streams at full length: uvicorn's own protocol and ours, in front of the same application, answer them alike."""

import asyncio

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from models.schema import Schema
from serving.http.connection import Limits
from serving.http.protocol import ScorerProtocol
from tests.models.tables import german_credit
from tests.serving.http.servers import Stand
from tests.serving.http.streams import Streams

pytestmark = pytest.mark.slow


@pytest.mark.timeout(3600)
def test_a_hundred_thousand_streams_are_answered_alike(german_applicants, size, say):
    streams, stand = Streams(german_applicants), Stand()
    schema, limits, number = Schema(german_credit()), Limits(timeout_s=60, idle_s=60), size(500, 100_000)
    ours, theirs = (stand.start(schema, protocol, limits) for protocol in (ScorerProtocol, HttpToolsProtocol))
    differing = asyncio.run(streams.compare(ours, theirs, range(10_000, 10_000 + number), at_once=40))
    stand.stop()
    say(f"{number:,} streams, {len(differing)} answered differently")
    assert differing == []
