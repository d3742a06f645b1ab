"""What a power failure leaves of the decision log, by `sync`: the disk is copied while only the kernel has the rest.

The records are on a file system of their own, whose device is a file. When every process of the service is dead, this
file holds what had reached the disk; what was in the kernel's memory alone is not in its copy, as after a power cut.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import Server
from tests.service.conftest import until
from tests.service.test_records import caught_up, logged, processes, traffic

pytestmark = [
    pytest.mark.shipping,
    pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: a power failure; only root may mount a file system"),
]
MIB = 2**20
# The journal is written when somebody syncs, and not because five seconds have passed while the file is copied.
MOUNT = ("mount", "-o", "loop,commit=300")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[Path], Path]]:
    """`disk(image)` mounts a file system from a file and returns where it is."""
    places: list[Path] = []

    def mount(image: Path) -> Path:
        place = tmp_path / f"mounted {image.name}"
        place.mkdir()
        subprocess.run([*MOUNT, str(image), str(place)], check=True)
        places.append(place)
        return place

    yield mount
    for place in reversed(places):
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An empty file system in a file."""
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(64 * MIB)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(path)], check=True)
    return path


def cut_the_power(service: Server, image: Path) -> Path:
    """Kill every process of a service, at once, and return a copy of what its disk holds."""
    for process in processes(service)["all"]:
        process.kill()
    service.process.wait()
    return copied(image)


def copied(image: Path, number: int = 0) -> Path:
    copy = image.with_name(f"copy {number}")
    shutil.copyfile(image, copy)
    return copy


def test_with_sync_batch_every_answered_row_survives_a_power_cut(trained, serve, disk, image, german_applicants):
    directory = disk(image) / "var"
    service = serve(trained, SCORER_DIRECTORY=str(directory), SCORER_SYNC="batch", workers=2)
    answered = traffic(service.url, german_applicants[0], seconds=3)
    after = disk(cut_the_power(service, image)) / "var"
    assert len(answered) > 100
    assert logged(after).items() >= answered.items()
    assert caught_up(after)["served"] >= len(answered)


def test_a_log_that_is_not_synced_loses_answered_rows_so_the_cut_is_one(trained, serve, disk, image, german_applicants):
    directory = disk(image) / "var"
    service = serve(trained, SCORER_DIRECTORY=str(directory), SCORER_SYNC="none")
    answered = traffic(service.url, german_applicants[0], seconds=1)
    assert logged(directory) == answered
    after = disk(cut_the_power(service, image)) / "var"
    assert not logged(after).keys() >= answered.keys()


def test_with_sync_interval_rows_are_on_disk_soon_after_their_answer(trained, serve, disk, image, german_applicants):
    directory = disk(image) / "var"
    # A profiler that looks once a minute: none of what is found was synced by it.
    variables = {"SCORER_SYNC": "interval", "SCORER_SYNC_INTERVAL_MS": "50", "SCORER_INTERVAL_S": "60"}
    service = serve(trained, SCORER_DIRECTORY=str(directory), **variables)
    with httpx.Client(base_url=service.url) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        answer = client.post("/predict", json={"applicants": [german_applicants[0] | {"application_id": "private-1"}]})
    assert answer.status_code == 200
    looked = iter(range(1000))

    def survived() -> bool:
        number = next(looked)
        return "private-1" in logged(disk(copied(image, number)) / "var")

    until(survived, within_s=20)
