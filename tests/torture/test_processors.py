"""The same bytes on every x86-64 processor: a small table trained with other kernels, and under emulated processors."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import environment, lenient_gates, workplace
from tests.models.tables import write_hand_made
from tests.train.small import OLDEST_KERNELS

MODEL = """\
network: {layers: [8, 4], members: 2, dropout: 0.3, column_dropout: 0.1}
encoding: {numbers: piecewise_linear, bins: 4}
training: {steps: 12, folds: 2, learning_rate: 0.02, patience: 1}
"""
# Every stage but the last, which puts these files into stores; the artifact, but its manifest, is written here.
STAGES = """
import sys
from pathlib import Path
from train import pipeline
from train.console import Console
from train.gating.judgement import Judgement
from train.publish import artifact_files
from train.workspace import Workspace
workspace = Workspace(*map(Path, sys.argv[1:]))
for name, stage in pipeline.STAGES.items():
    if name != "publish":
        stage(workspace, Console())
for name, content in artifact_files(workspace, workspace.read_json("judgement.json", Judgement)).items():
    workspace.write(f"artifact/{name}", content)
"""
EMULATED = ("Nehalem", "Haswell", "EPYC")  # SSE4.2 alone; AVX2 and FMA; the same from another vendor
EMULATOR = "qemu-x86_64"


def made_on(home: Path, processor: str = "", **variables: str) -> dict[str, bytes]:
    """What the stages leave, by name, on an emulated `processor` or on this one."""
    dataset, gates, model = write_hand_made(workplace(home)), lenient_gates(home), home / "small.yaml"
    model.write_text(MODEL)
    emulator = [EMULATOR, "-cpu", processor] if processor else []
    done = subprocess.run(
        [*emulator, sys.executable, "-c", STAGES, dataset.name, model.name, gates.name],
        cwd=home,
        env=environment(home) | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=3000,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    folder = home / "var/train/hand_made/small"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.timeout(3600)
def test_every_processor_makes_the_same_bytes(tmp_path, size):
    if not size(False, True):
        pytest.skip("minutes for each processor; make torture. tests/train/test_fit.py has the kernels alone")
    if not shutil.which(EMULATOR):
        pytest.fail(f"there is no {EMULATOR}; install it: apt-get install qemu-user")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = {name: pool.submit(made_on, tmp_path / name, name) for name in EMULATED}
        made["oldest kernels"] = pool.submit(made_on, tmp_path / "oldest", **OLDEST_KERNELS)
        expected = made_on(tmp_path / "here")
    assert expected.keys() >= {"network.npz", "model.onnx", "encoded.onnx", "evidence.json", "artifact/background.json"}
    found = {name: one.result() for name, one in made.items()}
    differ = {
        name: [file for file in sorted(expected.keys() | one.keys()) if one.get(file) != expected.get(file)]
        for name, one in found.items()
    }
    assert differ == {name: [] for name in found}
