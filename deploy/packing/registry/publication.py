"""An image on its way out: pushed, described, signed, in that order.

Owns which descriptions go beside an image, and that they tell of its build, by the labels of then, and not of this
checkout, which may have gone on. Leaves each description to its module.
"""

from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec

from deploy.packing.errors import PackingError
from deploy.packing.image.build import BASE_LABEL, COMMIT_LABEL, FOLDER, INPUT_LABELS, MODEL_LABEL, TIME_LABEL
from deploy.packing.image.engines import Engine
from deploy.packing.provenance import Built, provenance
from deploy.packing.registry.push import (
    Pushed,
    attach_provenance,
    attach_sbom,
    check_registry,
    push_image,
    sign_image,
)
from deploy.packing.sbom import image_sbom


def publish(image: str, registry: str, engine: Engine, key: ec.EllipticCurvePrivateKey | None) -> Pushed:
    """Push an image, put what describes it beside it, and sign both if there is a key."""
    check_registry(registry)
    engine.require(image)
    built = built_of(image, engine)  # before it is pushed: what cannot be described is not
    described = image_sbom(image, engine, FOLDER)
    pushed = push_image(image, registry, engine)
    statement = provenance(pushed.repository, pushed.digest.partition(":")[2], built)
    stem = described.name.removesuffix(".cdx.json")
    described.with_name(f"{stem}.provenance.json").write_bytes(statement)
    attach_sbom(pushed, described.read_bytes())
    if key:
        attach_provenance(pushed, statement, key)
        sign_image(pushed, key, FOLDER / "signatures")
    return pushed


def built_of(image: str, engine: Engine) -> Built:
    """How an image was built, by its labels."""

    def label(name: str) -> str:
        found = engine.label(image, name)
        if not found or found == "<no value>":
            raise PackingError(f"{image} lacks the label {name}, which tells of its build; build it again: make image")
        return found

    return Built(
        model_tag=label(MODEL_LABEL),
        commit=label(COMMIT_LABEL),
        time_s=int(datetime.fromisoformat(label(TIME_LABEL)).timestamp()),
        inputs={name: label(of) for name, of in INPUT_LABELS.items()},
        base=label(BASE_LABEL),
    )
