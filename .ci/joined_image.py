"""Describes and signs an image for several processors, which is in its registry already, as `.ci/join` asks.

    python .ci/joined_image.py --key KEY [--signed-by PUBLIC] <registry>/credit-scorer:<version> <each image> …

What is deployed is the list of images, whose digest is none of theirs. It gets what each of them has: a bill of
materials, which holds all of theirs; its provenance; a signature. Those of the images come along, as the images have
the same digests below this name. With PUBLIC, images and provenance have to be signed by that key to be believed.

Standard output is `name:version@digest`. An error is one line on standard error, and exit code 1.
"""

import argparse
import base64
import json
import sys
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from deploy.packing.attachments import attached, skopeo, tag_of
from deploy.packing.errors import PackingError
from deploy.packing.push import Pushed, attach_provenance, attach_sbom, digest_of, sign_image, verify_image
from signatures.keys import SignatureError, is_signed, private_key, public_key

FOLDER = Path("var/image")
SUFFIXES = ("sig", "sbom", "att")


def describe(target: str, key_file: Path, signed_by: Path | None, names: Sequence[str]) -> Pushed:
    """Describe and sign `target`, the list of the images `names`."""
    key = private_key(key_file)
    joined = pushed(target)
    parts = {name.split("/")[-2]: pushed(name) for name in names}  # <registry>/amd64/credit-scorer:<version>
    refuse_others(joined, parts.values())
    if signed_by:
        for name in names:
            verify_image(name, signed_by)
    sbom = bill_of_materials(joined, {arch: json.loads(beside(part, "sbom")) for arch, part in parts.items()})
    statement = provenance(joined, parts, [statement_of(part, signed_by) for part in parts.values()])
    FOLDER.mkdir(parents=True, exist_ok=True)
    files = {"cdx": sbom, "provenance": statement}
    contents = {kind: json.dumps(content, indent=2).encode() for kind, content in files.items()}
    for kind, content in contents.items():
        (FOLDER / f"credit-scorer-{joined.tag}-joined.{kind}.json").write_bytes(content)
    for part in parts.values():
        for suffix in SUFFIXES:
            tag = tag_of(part.digest, suffix)
            places = [f"docker://{place.repository}:{tag}" for place in (part, joined)]
            plain = [f"--{side}-{option}" for side in ("src", "dest") for option in options(joined.repository)]
            skopeo(["copy", "--quiet", *plain, *places])
    attach_sbom(joined, contents["cdx"])
    attach_provenance(joined, contents["provenance"], key)
    sign_image(joined, key, FOLDER / "signatures")
    return joined


def pushed(name: str) -> Pushed:
    """The image of that name in its registry."""
    repository, _, tag = name.rpartition(":")
    return Pushed(repository, tag, digest_of(name))


def options(reference: str) -> list[str]:
    """Plain HTTP for a registry on this machine, as in `.ci/join`."""
    return ["tls-verify=false"] if reference.startswith(("127.0.0.1:", "localhost:")) else []


def refuse_others(joined: Pushed, parts: Iterable[Pushed]) -> None:
    """Raise unless the list in the registry is of these images and no other."""
    plain = [f"--{option}" for option in options(joined.repository)]
    listed = json.loads(skopeo(["inspect", "--raw", *plain, f"docker://{joined.repository}@{joined.digest}"]))
    found = {entry["digest"] for entry in listed.get("manifests", ())}
    wanted = {part.digest for part in parts}
    if found != wanted:
        differ = ", ".join(sorted(found ^ wanted))
        raise PackingError(
            f"{joined} is not a list of the images that were given ({differ}); join them again: .ci/join"
        )


def beside(image: Pushed, suffix: str) -> bytes:
    """What was put beside an image where it was pushed."""
    found = attached(image.repository, image.digest, suffix, options(image.repository))
    if found is None:
        raise PackingError(f"{image} has no {tag_of(image.digest, suffix)}; push it again, with a key: .ci/push")
    return found[0]


def statement_of(image: Pushed, signed_by: Path | None) -> dict[str, Any]:
    """The in-toto statement about an image, from its envelope (DSSE 1.0)."""
    envelope = json.loads(beside(image, "att"))
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"]
    if signed_by:
        signature = base64.b64decode(envelope["signatures"][0]["sig"])
        content = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
        if not is_signed(public_key(signed_by), signature, content):
            raise SignatureError(f"the provenance of {image} is not signed by {signed_by}; push it again: .ci/push")
    found: dict[str, Any] = json.loads(payload)
    return found


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
        images.append(prefixed(image, f"{arch}/"))
        dependencies += [prefixed(one, f"{arch}/") for one in bom.get("dependencies", ())]
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


def prefixed(node: Any, prefix: str) -> Any:
    """A part of a bill of materials with `prefix` before each of its references."""
    if isinstance(node, list):
        return [prefixed(one, prefix) for one in node]
    if not isinstance(node, dict):
        return node
    found = {}
    for name, value in node.items():
        if name in ("bom-ref", "ref"):
            found[name] = prefix + value
        elif name in ("dependsOn", "provides"):
            found[name] = [prefix + one for one in value]
        else:
            found[name] = prefixed(value, prefix)
    return found


def provenance(joined: Pushed, parts: Mapping[str, Pushed], statements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The statement about the list: where its images come from, and they themselves by digest."""
    models = {one["predicate"]["buildDefinition"]["externalParameters"]["model"] for one in statements}
    if len(models) != 1:
        raise PackingError(f"{joined} joins images of different models ({', '.join(sorted(models))}); build them anew")
    statement = json.loads(json.dumps(statements[0]))
    statement["subject"] = [{"name": joined.repository, "digest": {"sha256": joined.digest.partition(":")[2]}}]
    images = [{"name": arch, "digest": {"sha256": part.digest.partition(":")[2]}} for arch, part in parts.items()]
    statement["predicate"]["buildDefinition"]["resolvedDependencies"][:0] = images
    found: dict[str, Any] = statement
    return found


def main() -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog=".ci/joined_image.py", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--key", type=Path, required=True, help="the private key to sign with, PEM")
    parser.add_argument("--signed-by", type=Path, help="the public key that the images have to be signed by, PEM")
    parser.add_argument("target", help="the list: its registry, name and version")
    parser.add_argument("images", nargs="+", help="the image of each processor")
    given = parser.parse_args()
    try:
        print(describe(given.target, given.key, given.signed_by, given.images))
    except (PackingError, SignatureError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
