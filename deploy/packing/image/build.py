"""Builds the image of a bento: the build context, the labels, and the name.

Owns what goes into the context. Leaves the layers to `Dockerfile` beside this file, and the engine's command line to
`deploy.packing.image.engines`.
"""

import fcntl
import platform
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from deploy.packing import origin
from deploy.packing.bento.archive import REBUILD, extract_archive, sha256
from deploy.packing.bento.build import archive_of
from deploy.packing.errors import PackingError
from deploy.packing.image.base import base_image
from deploy.packing.image.engines import Engine
from deploy.packing.image.wheels import MACHINES, fetch_wheels
from deploy.packing.store import MANIFEST, SERVICE, manifest

NAME = "credit-scorer"
FOLDER = Path("var/image")
REQUIREMENTS = "env/python/requirements.txt"  # in a bento
BESIDE = ("Dockerfile", "entrypoint.sh", "healthcheck.py")
MODEL_LABEL = "io.credit-scorer.model"
# What an image was built from, by the name that its provenance has for it: hexadecimal SHA-256s.
INPUT_LABELS = {name: f"io.credit-scorer.{name}-sha256" for name in ("bento", "model", "data")}
COMMIT_LABEL, TIME_LABEL = "org.opencontainers.image.revision", "org.opencontainers.image.created"
BASE_LABEL = "org.opencontainers.image.base.name"


def build_image(bento_tag: str, engine: Engine, base: str = "", image: str = NAME) -> str:
    """Build the image of that bento, with `base` as the image to build from; its name, `image` and the version."""
    service, _, version = bento_tag.partition(":")
    if service != SERVICE or not version:
        raise PackingError(
            f"{bento_tag!r} is not the tag of a bento; give {SERVICE}:<version>, as make bento prints it"
        )
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / ".lock").open("w") as lock, tempfile.TemporaryDirectory(dir=FOLDER) as bento:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one context, so one build at a time
        described = extract_archive(archive_of(version), Path(bento), REBUILD)
        tag = described["args"]["model"]
        context = _context(Path(bento))
        arguments = {"BASE": base_image(engine, base, FOLDER / "base.log"), "TARGETARCH": architecture()}
        labels = _labels(Path(bento), version, tag) | {BASE_LABEL: arguments["BASE"]}
        name = f"{image}:{version}"
        engine.build(context, name, arguments, labels, origin.time_s())
    return name


def architecture() -> str:
    """The architecture of this machine in the words of images."""
    for name, machine in MACHINES.items():
        if platform.machine() in (name, machine):
            return name
    raise PackingError(f"no image for processors of the kind {platform.machine()}; build it on {' or '.join(MACHINES)}")


def _context(bento: Path) -> Path:
    """The folder that is built, with the wheels of the last build if the list is the same."""
    context = FOLDER / "context"
    context.mkdir(exist_ok=True)
    for name in BESIDE:
        shutil.copy(Path(__file__).with_name(name), context / name)
    shutil.copy(bento / REQUIREMENTS, context / "requirements.txt")
    fetch_wheels(context / "requirements.txt", architecture(), context / "wheels" / architecture())
    shutil.rmtree(context / "bento", ignore_errors=True)
    # BentoML's own Dockerfile would build another image from it.
    shutil.copytree(bento, context / "bento", ignore=shutil.ignore_patterns("docker"))
    return context


def _labels(bento: Path, version: str, model_tag: str) -> dict[str, str]:
    """The labels of the image: what it is, and what it was made of."""
    model = bento / "models" / model_tag.replace(":", "/")
    # The manifest names the digest of every other file of the model.
    inputs = (sha256(archive_of(version)), sha256(model / MANIFEST), str(manifest(model)["data_sha256"]))
    return {
        "org.opencontainers.image.title": NAME,
        "org.opencontainers.image.description": "credit scoring over HTTP (3000) and gRPC (3001)",
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.version": version,
        COMMIT_LABEL: origin.commit(),
        TIME_LABEL: datetime.fromtimestamp(origin.time_s(), UTC).isoformat(),
        MODEL_LABEL: model_tag,
    } | dict(zip(INPUT_LABELS.values(), inputs, strict=True))
