"""The model that is served: from its tag to a verified artifact.

Owns the errors: each names the command that mends it, and `bentoml serve` prints it and ends. Leaves to others: what an
artifact has to hold (`models.artifact`), which version is the champion, and what a signature or
a history of promotions says.
"""

import logging
from pathlib import Path

import bentoml
from bentoml.exceptions import BentoMLException, NotFound

from models.artifact import MODEL, Artifact, ArtifactError
from models.champion import ALIAS, champion
from signatures import promotions
from signatures.keys import SignatureError
from signatures.model import check_model

logger = logging.getLogger("bentoml.scorer")


def load(tag: str, signed_by: str) -> Artifact:
    """The verified artifact of `tag`, signed by that key if one is given; an error names the command that mends it."""
    name, _, version = tag.partition(":")
    follows = version == ALIAS
    key = Path(signed_by) if signed_by else None
    try:
        if follows:
            version = champion(Path(bentoml.models.get(name).path).parent) or ALIAS
        folder = Path(bentoml.models.get(f"{name}:{version}").path)
        if key:
            check_model(folder, key)
        artifact = Artifact(folder, retrain="make train")
        if follows:
            _check_promotion(artifact, key)
    except (NotFound, ArtifactError, SignatureError) as error:
        missing = f"no model {tag} in the BentoML store; run: make train"
        raise BentoMLException(missing if isinstance(error, NotFound) else str(error)) from None
    return artifact


def _check_promotion(artifact: Artifact, key: Path | None) -> None:
    """Refuse a champion that the history of promotions does not name last, where a key is asked for; else warn."""
    versions, version = artifact.folder.parent, artifact.folder.name
    try:
        promotions.check(versions, version, artifact.manifest.sha256[MODEL], key)
    except SignatureError as error:
        if key:
            raise
        logger.warning("the champion is served although its promotion cannot be verified: %s", error)
