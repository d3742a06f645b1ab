"""Where a bento or an image comes from: an in-toto statement with SLSA's provenance, version 1.

Owns the statement, and the file of a bento beside its archive. Leaves signing and the image to
`deploy.packing.publication`.
"""

import os
from pathlib import Path
from typing import Any

import msgspec

from deploy.packing import origin
from deploy.packing.archive import sha256
from deploy.packing.store import MANIFEST, model_folder
from deploy.packing.store import manifest as manifest_of

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD = "https://credit-scorer.invalid/packing/v1"  # a name, as SLSA asks for; nothing is there


def provenance(
    name: str, digest: str, model_tag: str, manifest: dict[str, Any], inputs: dict[str, Path | str]
) -> bytes:
    """The statement about one subject.

    Args:
        name: of the subject.
        digest: its hexadecimal SHA-256.
        model_tag: the model in it.
        manifest: that of the model.
        inputs: what it was built from: files, or hexadecimal SHA-256s, by name.
    """
    commit = origin.commit()
    resolved: list[dict[str, Any]] = [
        {"name": key, "digest": {"sha256": sha256(value) if isinstance(value, Path) else value}}
        for key, value in inputs.items()
    ]
    resolved.append({"name": "data", "digest": {"sha256": manifest["data_sha256"]}})
    if not commit.startswith("unknown"):
        resolved.append({"name": "source", "digest": {"gitCommit": commit.removesuffix("-dirty")}})
    statement = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digest}}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": {"model": model_tag, "commit": commit},
                "internalParameters": {"sourceDateEpoch": origin.time_s()},
                "resolvedDependencies": resolved,
            },
            "runDetails": {"builder": {"id": _builder()}},
        },
    }
    return msgspec.json.format(msgspec.json.encode(statement))


def write_bento_provenance(archive: Path, model_tag: str) -> None:
    """Write the statement about the archive of a bento beside it."""
    model = model_folder(model_tag)
    inputs: dict[str, Path | str] = {
        "model": model / MANIFEST,  # which names the digest of every other file
        "bentofile.yaml": origin.ROOT / "bentofile.yaml",
        "requirements": origin.ROOT / "requirements/serving.txt",
    }
    statement = provenance(archive.name, sha256(archive), model_tag, manifest_of(model), inputs)
    temporary = provenance_beside(archive).with_suffix(f".{os.getpid()}")
    temporary.write_bytes(statement)
    temporary.replace(provenance_beside(archive))


def provenance_beside(archive: Path) -> Path:
    """The file of the statement about the archive of a bento."""
    return archive.with_name(archive.name.removesuffix(".tar.gz") + ".provenance.json")


def _builder() -> str:
    """Who built it: a workflow of GitHub, or some machine."""
    server, workflow = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_WORKFLOW_REF")
    return f"{server}/{workflow}" if server and workflow else "local"
