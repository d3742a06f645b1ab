"""Pushes an image to a registry, and beside it its bill of materials, its provenance and its signature.

Owns the order: what is signed is the digest that the registry has, so the image goes first; each of the rest can be put
there again. A registry on this machine may speak plain HTTP, no other may.
"""

import base64
import binascii
import ipaddress
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from deploy.packing.errors import PackingError
from deploy.packing.image.engines import Engine
from deploy.packing.provenance import PREDICATE
from deploy.packing.registry import attachments
from deploy.packing.registry.attachments import attach, attached, skopeo
from signatures.dsse import envelope
from signatures.image import payload, signed_digest
from signatures.keys import SignatureError, is_signed, public_key, sign


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
    return Pushed(repository, tag, _pushed_digest(image, target, engine))


def _pushed_digest(image: str, target: str, engine: Engine) -> str:
    """Push, and the digest of what was pushed: the registry may have another image under the tag a moment later."""
    if engine.name == "docker":
        engine.run(["tag", image, target])
        found = re.search(r"digest: (sha256:[0-9a-f]{64})", engine.run(["push", target]))
        if found is None:
            raise PackingError(f"`docker push {target}` did not say the digest of what it pushed; update docker")
        return found[1]
    with tempfile.TemporaryDirectory(prefix="push-") as folder:
        file = Path(folder) / "digest"
        options = [f"--{option}" for option in plain_http(target)]
        engine.run(["push", "--quiet", *options, f"--digestfile={file}", image, f"docker://{target}"])
        return file.read_text(encoding="utf-8").strip()


def check_registry(registry: str) -> None:
    """Raise unless that can be the host and path of a registry."""
    if not registry or "://" in registry:
        raise PackingError(f"REGISTRY={registry}: give host and path, such as registry.example.com/credit")


def digest_of(reference: str) -> str:
    """The digest that a registry gives for a name with a tag, a digest, or both, of which the digest counts."""
    name, _, digest = reference.partition("@")
    if digest:
        reference = f"{repository_of(name)}@{digest}"  # skopeo takes no name with both
    options = [f"--{option}" for option in plain_http(reference)]
    return skopeo(["inspect", *options, "--format={{.Digest}}", f"docker://{reference}"]).strip()


def repository_of(reference: str) -> str:
    """A name without its tag and digest.

    >>> repository_of("localhost:5000/credit/scorer:1f@sha256:00")
    'localhost:5000/credit/scorer'
    """
    place, slash, name = reference.partition("@")[0].rpartition("/")
    return f"{place}{slash}{name.partition(':')[0]}"


def attach_sbom(pushed: Pushed, content: bytes) -> None:
    """Put a bill of materials beside the image."""
    attach(pushed.repository, pushed.digest, attachments.sbom(content), plain_http(pushed.repository))


def attach_provenance(pushed: Pushed, statement: bytes, key: ec.EllipticCurvePrivateKey) -> None:
    """Put a signed statement about its origin beside the image."""
    signed = msgspec.json.encode(envelope(statement, key))
    attach(pushed.repository, pushed.digest, attachments.attestation(signed, PREDICATE), plain_http(pushed.repository))


def sign_image(pushed: Pushed, key: ec.EllipticCurvePrivateKey, folder: Path) -> None:
    """Sign the digest of the image: beside it in the registry, and as two files in `folder`."""
    content = payload(pushed.repository, pushed.digest)
    signed = sign(key, content)
    folder.mkdir(parents=True, exist_ok=True)
    stem = pushed.digest.replace(":", "-")
    (folder / f"{stem}.payload.json").write_bytes(content)
    (folder / f"{stem}.sig").write_bytes(base64.b64encode(signed) + b"\n")
    attach(pushed.repository, pushed.digest, attachments.signature(content, signed), plain_http(pushed.repository))


def verify_image(reference: str, key_path: Path) -> str:
    """Raise unless the image of that name in its registry is signed by that public key; its digest."""
    key, digest = public_key(key_path), digest_of(reference)
    repository = repository_of(reference)
    remedy = f"sign it: make image-push REGISTRY={repository.rpartition('/')[0]} KEY=KEY"
    found = attached(repository, digest, "sig", plain_http(repository))
    if not found:
        raise SignatureError(f"{reference} is not signed (no {attachments.tag_of(digest, 'sig')}); {remedy}")
    by_key = [content for content, annotations in found if is_signed(key, _signature(annotations), content)]
    if not by_key:
        raise SignatureError(
            f"{reference} is not signed by the key {key_path}; give the key of who signed it, or {remedy}"
        )
    named = [signed_digest(content) for content in by_key]
    if digest not in named:
        raise SignatureError(f"{reference} has the signature of another image, {named[0]}; {remedy}")
    return digest


def _signature(annotations: Mapping[str, str]) -> bytes:
    """The signature in the annotations of a layer; empty where none can be read."""
    try:
        return base64.b64decode(annotations.get(attachments.SIGNATURE_KEY, ""), validate=True)
    except binascii.Error:
        return b""


def plain_http(reference: str) -> list[str]:
    """The option for a registry on this machine, which may speak plain HTTP; nothing for any other."""
    host = reference.partition("/")[0].rpartition(":")[0] or reference.partition("/")[0]
    try:
        local = host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        local = False
    return ["tls-verify=false"] if local else []
