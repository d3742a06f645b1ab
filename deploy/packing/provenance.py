"""Where a bento or an image comes from: an in-toto statement with SLSA's provenance, version 1.

Owns the statement, and the file of a bento beside its archive. Leaves signing and the image to
`deploy.packing.registry.publication`.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from deploy.packing import origin
from deploy.packing.bento.archive import sha256
from deploy.packing.store import MANIFEST, model_folder
from deploy.packing.store import manifest as manifest_of

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD = "https://credit-scorer.invalid/packing/v1"  # a name, as SLSA asks for; nothing is there


@dataclass(frozen=True)
class Built:
    """How something was built.

    Attributes:
        model_tag: the model in it.
        commit: of the project, as `origin.commit` gives it.
        time_s: the one time that is written into it, in seconds since 1970.
        inputs: what it was built from: hexadecimal SHA-256s by name.
        base: the image that it was built on, if it is one.
    """

    model_tag: str
    commit: str
    time_s: int
    inputs: dict[str, str]
    base: str = ""


def provenance(name: str, digest: str, built: Built) -> bytes:
    """The statement about one subject.

    Args:
        name: of the subject.
        digest: its hexadecimal SHA-256.
        built: how it was built.
    """
    resolved: list[dict[str, Any]] = [{"name": key, "digest": {"sha256": value}} for key, value in built.inputs.items()]
    if built.base:
        resolved.append({"name": "base", "uri": built.base})
    if not built.commit.startswith("unknown"):
        resolved.append({"name": "source", "digest": {"gitCommit": built.commit.removesuffix("-dirty")}})
    statement = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digest}}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": {"model": built.model_tag, "commit": built.commit},
                "internalParameters": {"sourceDateEpoch": built.time_s},
                "resolvedDependencies": resolved,
            },
            "runDetails": {"builder": {"id": _builder()}},
        },
    }
    return msgspec.json.format(msgspec.json.encode(statement))


def write_bento_provenance(archive: Path, model_tag: str) -> None:
    """Write the statement about the archive of a bento beside it."""
    model = model_folder(model_tag)
    inputs = {
        "model": sha256(model / MANIFEST),  # which names the digest of every other file
        "bentofile.yaml": sha256(origin.ROOT / "bentofile.yaml"),
        "requirements": sha256(origin.ROOT / "requirements/serving.txt"),
        "data": str(manifest_of(model)["data_sha256"]),
    }
    built = Built(model_tag, origin.commit(), origin.time_s(), inputs)
    statement = provenance(archive.name, sha256(archive), built)
    temporary = provenance_beside(archive).with_suffix(f".{os.getpid()}")
    temporary.write_bytes(statement)
    temporary.replace(provenance_beside(archive))


def is_described(archive: Path) -> bool:
    """Whether the archive of a bento is the one that the statement beside it, which is written last, is about."""
    try:
        (subject,) = msgspec.json.decode(provenance_beside(archive).read_bytes())["subject"]
        return bool(subject["digest"]["sha256"] == sha256(archive))
    except (OSError, msgspec.DecodeError, KeyError, TypeError, ValueError):
        return False


def provenance_beside(archive: Path) -> Path:
    """The file of the statement about the archive of a bento."""
    return archive.with_name(archive.name.removesuffix(".tar.gz") + ".provenance.json")


def _builder() -> str:
    """Who built it: a workflow of GitHub, or some machine."""
    server, workflow = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_WORKFLOW_REF")
    return f"{server}/{workflow}" if server and workflow else "local"
