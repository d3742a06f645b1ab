"""An image on its way out: pushed, described, signed, in that order.

Owns which descriptions go beside an image. Leaves each of them to its module.
"""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from deploy.packing.archive import sha256
from deploy.packing.bento import archive_of
from deploy.packing.engines import Engine
from deploy.packing.image import FOLDER, MODEL_LABEL
from deploy.packing.provenance import provenance
from deploy.packing.push import Pushed, attach_provenance, attach_sbom, check_registry, push_image, sign_image
from deploy.packing.sbom import image_sbom
from deploy.packing.store import MANIFEST, manifest, model_folder


def publish(image: str, registry: str, engine: Engine, key: ec.EllipticCurvePrivateKey | None) -> Pushed:
    """Push an image, put what describes it beside it, and sign both if there is a key."""
    check_registry(registry)
    engine.require(image)
    model_tag = engine.label(image, MODEL_LABEL)
    model = model_folder(model_tag)
    described = image_sbom(image, engine, FOLDER)  # before it is pushed: what cannot be described is not
    pushed = push_image(image, registry, engine)
    stem = described.with_name(described.name.removesuffix(".cdx.json"))
    statement = provenance(
        pushed.repository,
        pushed.digest.partition(":")[2],
        model_tag,
        manifest(model),
        {
            "bento": archive_of(pushed.tag),
            "model": sha256(model / MANIFEST),  # which names the digest of every other file
            "Dockerfile": Path(__file__).with_name("Dockerfile"),
        },
    )
    stem.with_name(f"{stem.name}.provenance.json").write_bytes(statement)
    attach_sbom(pushed, described.read_bytes())
    if key:
        attach_provenance(pushed, statement, key)
        sign_image(pushed, key, FOLDER / "signatures")
    return pushed
