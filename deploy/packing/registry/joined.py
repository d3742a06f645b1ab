"""An image for several processors: the list of the images of each, which is what is deployed, described and signed.

The digest of the list is none of theirs, so it gets what each of them has: a bill of materials, which holds all of
theirs; a provenance; a signature. Theirs come along, as the images have the same digests below the name of the list.
Leaves making the list to `.ci/join`.
"""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from deploy.packing.errors import PackingError
from deploy.packing.provenance import PREDICATE
from deploy.packing.registry.attachments import attached, skopeo, tag_of
from deploy.packing.registry.push import (
    Pushed,
    attach_provenance,
    attach_sbom,
    digest_of,
    plain_http,
    sign_image,
    verify_image,
)
from signatures.dsse import STATEMENT, read_envelope
from signatures.keys import SignatureError, public_key

SUFFIXES = ("sig", "sbom", "att")


def publish_joined(
    target: str, names: Sequence[str], key: ec.EllipticCurvePrivateKey, signed_by: Path | None, folder: Path
) -> Pushed:
    """Describe and sign the list `target`, which is in its registry.

    Args:
        target: its name, with a tag.
        names: of its images, each `<registry>/<processor>/<name>:<tag>`.
        key: to sign with.
        signed_by: the public key that the images and their provenance have to be signed by to be believed.
        folder: for copies of what is put beside the list.
    """
    joined = _pushed(target)
    parts = {name.split("/")[-2]: _pushed(name) for name in names}
    _refuse_others(joined, parts.values())
    if signed_by:
        for part in parts.values():
            verify_image(f"{part.repository}@{part.digest}", signed_by)
    sbom = bill_of_materials(joined, {arch: json.loads(_beside(part, "sbom")) for arch, part in parts.items()})
    statement = _provenance(joined, parts, [_statement_of(part, signed_by) for part in parts.values()])
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        kind: msgspec.json.format(msgspec.json.encode(found))
        for kind, found in (("cdx", sbom), ("provenance", statement))
    }
    for kind, content in contents.items():
        (folder / f"{joined.repository.rpartition('/')[2]}-{joined.tag}-joined.{kind}.json").write_bytes(content)
    plain = [f"--{side}-{option}" for side in ("src", "dest") for option in plain_http(joined.repository)]
    for part in parts.values():
        for suffix in SUFFIXES:
            tag = tag_of(part.digest, suffix)
            places = [f"docker://{place.repository}:{tag}" for place in (part, joined)]
            skopeo(["copy", "--quiet", *plain, *places])
    attach_sbom(joined, contents["cdx"])
    attach_provenance(joined, contents["provenance"], key)
    sign_image(joined, key, folder / "signatures")
    return joined


def bill_of_materials(joined: Pushed, boms: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One bill of materials of those of each processor; their references are told apart by a prefix.

    >>> found = bill_of_materials(Pushed("r/scorer", "1", "sha256:00"), {"arm64": {
    ...     "specVersion": "1.6", "metadata": {"component": {"name": "scorer", "bom-ref": "a"}},
    ...     "components": [{"name": "bash", "bom-ref": "b"}], "dependencies": [{"ref": "a", "dependsOn": ["b"]}]}})
    >>> found["components"][0]["components"], found["dependencies"][1]
    ([{'name': 'bash', 'bom-ref': 'arm64/b'}], {'ref': 'arm64/a', 'dependsOn': ['arm64/b']})
    """
    images, dependencies = [], []
    for arch, bom in boms.items():
        image = {"type": "container"} | bom["metadata"]["component"] | {"components": list(bom.get("components", ()))}
        images.append(_prefixed(image, f"{arch}/"))
        dependencies += [_prefixed(one, f"{arch}/") for one in bom.get("dependencies", ())]
    root = {"ref": joined.digest, "dependsOn": [image["bom-ref"] for image in images if "bom-ref" in image]}
    about = {"bom-ref": joined.digest, "type": "container", "name": joined.repository, "version": joined.tag}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": next(iter(boms.values()))["specVersion"],
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, str(joined))}",
        "version": 1,
        "metadata": {"component": about},
        "components": images,
        "dependencies": [root, *dependencies],
    }


def _pushed(name: str) -> Pushed:
    """The image of that name in its registry."""
    repository, _, tag = name.rpartition(":")
    return Pushed(repository, tag, digest_of(name))


def _refuse_others(joined: Pushed, parts: Iterable[Pushed]) -> None:
    """Raise unless the list in the registry is of these images and no other."""
    plain = [f"--{option}" for option in plain_http(joined.repository)]
    listed = json.loads(skopeo(["inspect", "--raw", *plain, f"docker://{joined.repository}@{joined.digest}"]))
    found = {entry["digest"] for entry in listed.get("manifests", ())}
    wanted = {part.digest for part in parts}
    if found != wanted:
        differ = ", ".join(sorted(found ^ wanted))
        raise PackingError(
            f"{joined} is not a list of the images that were given ({differ}); join them again: .ci/join"
        )


def _beside(image: Pushed, suffix: str) -> bytes:
    """What was put beside an image where it was pushed."""
    found = attached(image.repository, image.digest, suffix, plain_http(image.repository))
    if not found:
        raise PackingError(f"{image} has no {tag_of(image.digest, suffix)}; push it again, with a key: .ci/push")
    return found[0][0]


def _statement_of(image: Pushed, signed_by: Path | None) -> dict[str, Any]:
    """The in-toto statement about how an image was built."""
    again = "push it again: .ci/push"
    try:
        envelope = read_envelope(_beside(image, "att"))
        statement: dict[str, Any] = json.loads(envelope.payload)
        subjects = [subject["digest"]["sha256"] for subject in statement["subject"]]
        kind = envelope.payload_type, statement["predicateType"]
    except (msgspec.DecodeError, ValueError, KeyError, TypeError) as error:
        raise PackingError(f"the provenance of {image} is damaged ({error!r}); {again}") from None
    if signed_by and not envelope.is_signed_by(public_key(signed_by)):
        raise SignatureError(f"the provenance of {image} is not signed by {signed_by}; {again}")
    if kind != (STATEMENT, PREDICATE) or subjects != [image.digest.partition(":")[2]]:
        raise SignatureError(f"what lies beside {image} as its provenance is about something else; {again}")
    return statement


def _prefixed(node: Any, prefix: str) -> Any:
    """A part of a bill of materials with `prefix` before each of its references."""
    if isinstance(node, list):
        return [_prefixed(one, prefix) for one in node]
    if not isinstance(node, dict):
        return node
    found = {}
    for name, value in node.items():
        if name in ("bom-ref", "ref"):
            found[name] = prefix + value
        elif name in ("dependsOn", "provides"):
            found[name] = [prefix + one for one in value]
        else:
            found[name] = _prefixed(value, prefix)
    return found


def _provenance(joined: Pushed, parts: Mapping[str, Pushed], statements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The statement about the list: where its images come from, and they themselves by digest."""
    for name in ("model", "commit"):
        found = {one["predicate"]["buildDefinition"]["externalParameters"][name] for one in statements}
        if len(found) != 1:
            raise PackingError(
                f"{joined} joins images of different {name}s ({', '.join(sorted(found))}); build them anew"
            )
    statement: dict[str, Any] = json.loads(json.dumps(statements[0]))
    statement["subject"] = [{"name": joined.repository, "digest": {"sha256": joined.digest.partition(":")[2]}}]
    images = [{"name": arch, "digest": {"sha256": part.digest.partition(":")[2]}} for arch, part in parts.items()]
    statement["predicate"]["buildDefinition"]["resolvedDependencies"][:0] = images
    return statement
