"""Pushes an image to a registry, and beside it its bill of materials, its provenance and its signature.

Owns the order: what is signed is the digest that the registry has, so the image goes first; each of the rest can be put
there again. A registry on this machine may speak plain HTTP, no other may.
"""

import base64
import ipaddress
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from deploy.packing import attachments
from deploy.packing.attachments import attach, attached, skopeo
from deploy.packing.engines import Engine
from deploy.packing.errors import PackingError
from deploy.packing.provenance import PREDICATE
from signatures.image import payload, signed_digest
from signatures.keys import SignatureError, is_signed, public_key, sign
from signatures.model import envelope


@dataclass(frozen=True)
class Pushed:
    """An image in a registry."""

    repository: str  # host, path and name, without a tag
    tag: str
    digest: str  # sha256:…, of its manifest

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}@{self.digest}"


def push_image(image: str, registry: str, engine: Engine) -> Pushed:
    """Push an image of this machine to `registry`, a host with or without a path."""
    check_registry(registry)
    engine.require(image)
    name, _, tag = image.rpartition("/")[2].partition(":")
    repository = f"{registry.rstrip('/')}/{name}"
    target = f"{repository}:{tag}"
    if engine.is_buildah:
        with tempfile.TemporaryDirectory(prefix="push-") as folder:
            file = Path(folder) / "digest"
            options = [f"--{option}" for option in _options(repository)]
            engine.run(["push", "--quiet", *options, f"--digestfile={file}", image, f"docker://{target}"])
            return Pushed(repository, tag, file.read_text(encoding="utf-8").strip())
    engine.run(["tag", image, target])
    engine.run(["push", *(_options(repository, "--") if engine.name == "podman" else []), target])
    return Pushed(repository, tag, digest_of(target))


def check_registry(registry: str) -> None:
    """Raise unless that can be the host and path of a registry."""
    if not registry or "://" in registry:
        raise PackingError(f"REGISTRY={registry}: give host and path, such as registry.example.com/credit")


def digest_of(reference: str) -> str:
    """The digest that a registry gives for a name with a tag or digest."""
    options = [f"--{option}" for option in _options(reference)]
    return skopeo(["inspect", *options, "--format={{.Digest}}", f"docker://{reference}"]).strip()


def attach_sbom(pushed: Pushed, content: bytes) -> None:
    """Put a bill of materials beside the image."""
    attach(pushed.repository, pushed.digest, attachments.sbom(content), _options(pushed.repository))


def attach_provenance(pushed: Pushed, statement: bytes, key: ec.EllipticCurvePrivateKey) -> None:
    """Put a signed statement about its origin beside the image."""
    signed = msgspec.json.encode(envelope(statement, key))
    attach(pushed.repository, pushed.digest, attachments.attestation(signed, PREDICATE), _options(pushed.repository))


def sign_image(pushed: Pushed, key: ec.EllipticCurvePrivateKey, folder: Path) -> None:
    """Sign the digest of the image: beside it in the registry, and as two files in `folder`."""
    content = payload(pushed.repository, pushed.digest)
    signed = sign(key, content)
    folder.mkdir(parents=True, exist_ok=True)
    stem = pushed.digest.replace(":", "-")
    (folder / f"{stem}.payload.json").write_bytes(content)
    (folder / f"{stem}.sig").write_bytes(base64.b64encode(signed) + b"\n")
    attach(pushed.repository, pushed.digest, attachments.signature(content, signed), _options(pushed.repository))


def verify_image(reference: str, key_path: Path) -> str:
    """Raise unless the image of that name in its registry is signed by that public key; its digest."""
    key, digest = public_key(key_path), digest_of(reference)
    name, _, last = reference.partition("@")[0].rpartition("/")
    repository = f"{name}/{last.partition(':')[0]}"
    remedy = f"sign it: make image-push REGISTRY={name} KEY=KEY"
    found = attached(repository, digest, "sig", _options(repository))
    if found is None:
        raise SignatureError(f"{reference} is not signed (no {attachments.tag_of(digest, 'sig')}); {remedy}")
    content, annotations = found
    signed = base64.b64decode(annotations.get(attachments.SIGNATURE_KEY, ""))
    if not is_signed(key, signed, content):
        raise SignatureError(
            f"{reference} is not signed by the key {key_path}; give the key of who signed it, or {remedy}"
        )
    if signed_digest(content) != digest:
        raise SignatureError(f"{reference} has the signature of another image, {signed_digest(content)}; {remedy}")
    return digest


def _options(reference: str, before: str = "") -> list[str]:
    """Plain HTTP for a registry on this machine; nothing for any other."""
    host = reference.partition("/")[0].rpartition(":")[0] or reference.partition("/")[0]
    try:
        local = host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        local = False
    return [f"{before}tls-verify=false"] if local else []
