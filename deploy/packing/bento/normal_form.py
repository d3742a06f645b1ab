"""A bento without what BentoML takes from the clock and the machine, so that equal contents are equal bytes.

BentoML writes when the bento was built, when its model was put into the store, and the requirements as its parser
prints them: with every line `# via` between blank ones, and `bentoml` a second time without a hash, so that pip refuses
them. Owns these changes; leaves owners and times of files to `deploy.packing.bento.archive`.
"""

import re
from pathlib import Path

import yaml

from deploy.packing.errors import PackingError

_MODEL_TIME = re.compile(r"^creation_time: .*$", re.MULTILINE)


def normalise(bento: Path, requirements: str, time: str) -> None:
    """Change the bento in that folder.

    Args:
        bento: the folder, with its model in `models/`.
        requirements: the list of requirements, as it stands in the project.
        time: the one time that is written, ISO 8601: that of the model's training.
    """
    for name in ("requirements.in", "requirements.txt"):
        (bento / "env/python" / name).write_text(requirements, encoding="utf-8")
    path = bento / "bento.yaml"
    described = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        described["creation_time"] = time
        described["image"]["python_requirements"] = requirements
        for service in described["services"]:
            for model in service["models"]:
                model["creation_time"] = time
    except KeyError as error:
        raise PackingError(
            f"BentoML describes a bento without {error}: another version of it than the pinned; run: make environment"
        ) from None
    path.write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")
    for path in bento.glob("models/*/*/model.yaml"):
        path.write_text(_MODEL_TIME.sub(f"creation_time: '{time}'", path.read_text(encoding="utf-8")), encoding="utf-8")
