"""Files beside an image in its registry: signature, bill of materials and provenance, where cosign looks for them.

Each is an image of its own with one layer, under a tag made of the digest that it is about: `sha256-<hex>.sig`, `.att`,
`.sbom`. Owns that form and the copying, for which skopeo knows registries and their logins.
"""

import base64
import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.packing.errors import PackingError

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
SIGNATURE_KEY = "dev.cosignproject.cosign/signature"  # the annotation that holds the signature of a layer, base64


@dataclass(frozen=True)
class Attachment:
    """A file to put beside an image."""

    suffix: str  # of its tag: `sig`, `att` or `sbom`
    media_type: str
    content: bytes
    annotations: Mapping[str, str] = field(default_factory=dict)


def signature(payload: bytes, signed: bytes) -> Attachment:
    """The signature `signed` of a payload of `signatures.image`."""
    annotations = {SIGNATURE_KEY: base64.b64encode(signed).decode()}
    return Attachment("sig", "application/vnd.dev.cosign.simplesigning.v1+json", payload, annotations)


def sbom(content: bytes) -> Attachment:
    """A bill of materials in CycloneDX's JSON."""
    return Attachment("sbom", "application/vnd.cyclonedx+json", content)


def attestation(envelope: bytes, predicate_type: str) -> Attachment:
    """A signed statement about the image, as a DSSE envelope."""
    annotations = {SIGNATURE_KEY: "", "predicateType": predicate_type}
    return Attachment("att", "application/vnd.dsse.envelope.v1+json", envelope, annotations)


def attach(repository: str, digest: str, attachment: Attachment, options: Sequence[str]) -> str:
    """Put an attachment beside the image `<repository>@<digest>`; its tag."""
    tag = tag_of(digest, attachment.suffix)
    with tempfile.TemporaryDirectory(prefix="attach-") as folder:
        _write_layout(Path(folder), attachment)
        destination = [f"--dest-{option}" for option in options]
        skopeo(["copy", "--quiet", *destination, f"oci:{folder}:it", f"docker://{repository}:{tag}"])
    return tag


def attached(repository: str, digest: str, suffix: str, options: Sequence[str]) -> list[tuple[bytes, dict[str, str]]]:
    """Content and annotations of what is attached under that suffix: cosign adds a layer for each signature."""
    source = f"docker://{repository}:{tag_of(digest, suffix)}"
    with tempfile.TemporaryDirectory(prefix="attached-") as folder:
        try:
            skopeo(["copy", "--quiet", *(f"--src-{option}" for option in options), source, f"dir:{folder}"])
        except PackingError as error:
            if "manifest unknown" in str(error):
                return []
            raise
        manifest = json.loads((Path(folder) / "manifest.json").read_bytes())
        return [
            ((Path(folder) / layer["digest"].partition(":")[2]).read_bytes(), layer.get("annotations", {}))
            for layer in manifest["layers"]
        ]


def tag_of(digest: str, suffix: str) -> str:
    """The tag of what is about that digest.

    >>> tag_of("sha256:00ff", "sig")
    'sha256-00ff.sig'
    """
    return f"{digest.replace(':', '-')}.{suffix}"


def skopeo(arguments: Sequence[str]) -> str:
    """What skopeo prints."""
    if not shutil.which("skopeo"):
        raise PackingError("skopeo, which copies what belongs to an image, is not installed: apt-get install skopeo")
    done = subprocess.run(["skopeo", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise PackingError(f"`skopeo {arguments[0]} {arguments[-1]}` failed: {done.stderr.strip()[-400:]}")
    return done.stdout


def _write_layout(folder: Path, attachment: Attachment) -> None:
    """An OCI layout with one image, named `it`, whose one layer is the attachment."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    layer = put(attachment.content)
    config = {
        "architecture": "",
        "created": "0001-01-01T00:00:00Z",
        "os": "",
        "config": {},
        "history": [{"created": "0001-01-01T00:00:00Z"}],
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": {"mediaType": _CONFIG} | put(json.dumps(config).encode()),
        "layers": [{"mediaType": attachment.media_type, "annotations": dict(attachment.annotations)} | layer],
    }
    entry = {"mediaType": _MANIFEST, "annotations": {"org.opencontainers.image.ref.name": "it"}}
    entry |= put(json.dumps(manifest).encode())
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}), encoding="utf-8")
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}', encoding="utf-8")
