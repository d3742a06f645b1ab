"""Buffered metrics: what is flushed is what was counted, by way of prometheus_client's private parts."""

import asyncio

from prometheus_client import CollectorRegistry, Counter, Histogram

from serving.buffered_metrics import BufferedMetrics

BOUNDS = (0.1, 1.0)


def test_a_flush_adds_what_one_observation_at_a_time_would():
    """Fails when prometheus_client changes `_buckets` or `_sum`, which the buffer adds to."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    buffered = Histogram("seconds", "Of a test", buckets=BOUNDS, registry=ours)
    direct = Histogram("seconds", "Of a test", buckets=BOUNDS, registry=theirs)
    buffer = BufferedMetrics()
    histogram = buffer.add_histogram(buffered, BOUNDS)
    for value in (0.05, 0.1, 0.1, 0.5, 1.0, 7.5):
        histogram.observe(value)
        direct.observe(value)
    assert samples(ours)["seconds_sum"] == 0, "observations wait for a flush"
    for _ in range(2):  # the second has nothing left to add
        buffer.flush()
        assert samples(ours) == samples(theirs)


def samples(registry):
    """Every sample of a registry, but for the times at which its metrics were made."""
    return {
        sample.name + "".join(sample.labels.values()): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }


def test_counts_are_flushed_by_themselves_soon_after():
    registry = CollectorRegistry()
    counter = Counter("rows", "Of a test", registry=registry)

    async def main():
        buffer = BufferedMetrics()
        buffer.add_counter("rows", counter)
        buffer.count("rows", 3)
        buffer.count("rows")
        before = samples(registry)["rows_total"]
        await asyncio.sleep(0.3)
        return before

    assert asyncio.run(main()) == 0
    assert samples(registry)["rows_total"] == 4
