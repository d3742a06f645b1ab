"""The folder of one model: each stage reads the files of earlier stages and writes its own.

Owns the formats. The same inputs give the same bytes, so that DVC knows which stages are up to date. Leaves the content
to the stages.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from numpy.typing import NDArray

from configs.dataset import Dataset, read_dataset
from configs.gates import Gates, read_gates
from configs.model import ModelConfig, read_model
from models.schema import Schema
from train.errors import PipelineError
from train.rounding import all_to_digits
from train.tables.table import Table, read_parquet, write_parquet
from train.version import model_version

T = TypeVar("T")
HOME = Path("var/train")
TRAINING, TEST, NEITHER = 0, 1, 2  # the part of a row in `split.npy`


@dataclass(frozen=True)
class Workspace:
    """The inputs of one model, and its folder `var/train/<dataset>/<model>`."""

    dataset_path: Path
    model_path: Path
    gates_path: Path
    signing_key: EllipticCurvePrivateKey | None = None  # of what is published and promoted

    @cached_property
    def dataset(self) -> Dataset:
        """The dataset file."""
        return read_dataset(self.dataset_path)

    @cached_property
    def config(self) -> ModelConfig:
        """The model file."""
        return read_model(self.model_path)

    @cached_property
    def gates(self) -> Gates:
        """The gates file."""
        return read_gates(self.gates_path)

    @cached_property
    def baseline(self) -> ModelConfig:
        """The model file of the baseline."""
        return read_model(Path(self.gates.baseline))

    @cached_property
    def schema(self) -> Schema:
        """The compiled dataset."""
        return Schema(self.dataset)

    @cached_property
    def version(self) -> str:
        """The version that these inputs give."""
        return model_version(self.dataset, self.config, self.baseline, self.gates)

    @property
    def tag(self) -> str:
        """Name and version."""
        return f"{self.dataset.name}:{self.version}"

    @property
    def folder(self) -> Path:
        """The folder of the files."""
        return HOME / self.dataset.name / self.model_path.stem

    def path(self, name: str) -> Path:
        """The file of an earlier stage; raises if it does not exist."""
        path = self.folder / name
        if not path.exists():
            raise PipelineError(f"{path}: no such file; run the stages before this one: python -m train")
        return path

    def discard(self, name: str) -> None:
        """Remove a file of an earlier run, if there is one."""
        (self.folder / name).unlink(missing_ok=True)

    def write(self, name: str, content: bytes) -> None:
        """Write a file completely or not at all."""
        with self.writing(name) as path:
            path.write_bytes(content)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """A temporary path, renamed to `name` when everything is written."""
        path = self.folder / name
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise PipelineError(
                f"{path}: cannot be written ({error.strerror or error}); free disk space and run again"
            ) from error

    def write_json(self, name: str, value: Any) -> None:
        """Write a value of a type that msgspec supports, its floats with the digits that every processor agrees on."""
        self.write(name, msgspec.json.format(msgspec.json.encode(all_to_digits(value))) + b"\n")

    def read_json(self, name: str, kind: type[T]) -> T:
        """Read a value that `write_json` wrote."""
        return msgspec.json.decode(self.path(name).read_bytes(), type=kind)

    def write_csv(self, name: str, columns: dict[str, Any]) -> None:
        """Write columns of equal length, for DVC's plots."""
        lines = [",".join(columns)]
        lines += [",".join(f"{value:.6g}" for value in row) for row in zip(*columns.values(), strict=True)]
        self.write(name, ("\n".join(lines) + "\n").encode())

    def write_table(self, table: Table) -> None:
        """Write the checked table."""
        with self.writing("table.parquet") as path:
            write_parquet(table, path)

    @cached_property
    def table(self) -> Table:
        """The checked table."""
        return read_parquet(self.path("table.parquet"), self.dataset)

    def write_array(self, name: str, array: NDArray[Any]) -> None:
        """Write one array."""
        with self.writing(name) as path, path.open("wb") as file:
            np.save(file, array, allow_pickle=False)

    def write_parts(self, training: NDArray[np.int64], test: NDArray[np.int64]) -> None:
        """Write which rows are in which part, by their numbers."""
        rows = len(self.table.target)
        part = np.full(rows, NEITHER, dtype=np.int8)
        part[training], part[test] = TRAINING, TEST
        # Without customers every row is in one of both, and the file says that and no more.
        self.write_array("split.npy", part if len(training) + len(test) < rows else part == TEST)

    @cached_property
    def parts(self) -> tuple[Table, Table]:
        """The training and the test part."""
        return self.table.rows(np.flatnonzero(self.in_training)), self.table.rows(np.flatnonzero(self.in_test))

    @property
    def in_test(self) -> NDArray[np.bool_]:
        """Which rows of the table are in the test part, `[rows]`."""
        in_test: NDArray[np.bool_] = self._part == TEST
        return in_test

    @property
    def in_training(self) -> NDArray[np.bool_]:
        """Which rows of the table are in the training part, `[rows]`; some may be in neither."""
        in_training: NDArray[np.bool_] = self._part == TRAINING
        return in_training

    @cached_property
    def _part(self) -> NDArray[Any]:
        """The part of each row, `[rows]`; without rows in neither, whether it is in the test part."""
        part: NDArray[Any] = np.load(self.path("split.npy"), allow_pickle=False)
        return part.astype(np.int8)
