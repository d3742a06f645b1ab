"""The key file: who may call, with which key, for what and how often.

The file holds only the SHA-256 of each key. A key is 256 random bits, so it cannot be guessed from its hash. Slow and
salted hashes exist to protect passwords, and would cost some 100 ms per request.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from configs.source import ConfigError, read

Permission = Literal["predict", "read", "feedback", "read_all", "admin"]
UNNAMED = ("neighbour", "anyone")  # what records call callers without a key: on this machine, and on any
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Key(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One caller."""

    name: Name  # unique; appears in the log
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]  # of the key as the caller sends it
    permissions: Annotated[tuple[Permission, ...], Meta(min_length=1)]
    requests_per_s: Annotated[float, Meta(gt=0, le=1e6)] | None = None  # over all workers; without it there is no limit
    burst: Annotated[int, Meta(ge=1, le=1_000_000)] | None = (
        None  # requests at once; by default, as many as requests_per_s
    )
    rows_per_s: Annotated[float, Meta(gt=0, le=1e6)] | None = None  # scored, over all workers and protocols
    explanations_per_s: Annotated[float, Meta(gt=0, le=1e6)] | None = None  # rows explained, likewise
    expires: Annotated[datetime, Meta(tz=True)] | None = None  # refused from this time on


class KeyFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole key file; if it lists no keys, nobody can call."""

    keys: tuple[Key, ...]


def read_api_keys(path: Path) -> tuple[Key, ...]:
    """Read and check a key file."""
    keys = read(path, KeyFile).keys
    for what, values in (("name", [key.name for key in keys]), ("sha256", [key.sha256 for key in keys])):
        for index, value in enumerate(values):
            if value in values[:index]:
                raise ConfigError(path, f"keys[{index}].{what}", f"{value} appears twice", "give each caller its own")
    for index, key in enumerate(keys):
        if key.name in UNNAMED:
            problem = f"{key.name} is how records name callers without a key"
            raise ConfigError(path, f"keys[{index}].name", problem, "choose another name")
        if key.burst is not None and key.requests_per_s is None:
            raise ConfigError(path, f"keys[{index}].burst", "has no rate", "add requests_per_s, or remove burst")
    return keys
