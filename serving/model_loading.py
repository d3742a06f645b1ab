"""The model that is served: from its tag to a verified artifact.

Owns the errors: each names the command that mends it, and `bentoml serve` prints it and ends. Leaves to others: what an
artifact has to hold (`models.artifact`), which version is the champion, and signatures.
"""

from pathlib import Path

import bentoml
from bentoml.exceptions import BentoMLException, NotFound

from models.artifact import Artifact, ArtifactError
from models.champion import ALIAS, champion
from signatures.keys import SignatureError
from signatures.model import check_model


def load(tag: str, signed_by: str) -> Artifact:
    """The verified artifact of `tag`, signed by that key if one is given; an error names the command that mends it."""
    name, _, version = tag.partition(":")
    try:
        if version == ALIAS:
            version = champion(Path(bentoml.models.get(name).path).parent) or ALIAS
        folder = Path(bentoml.models.get(f"{name}:{version}").path)
        if signed_by:
            check_model(folder, Path(signed_by))
        return Artifact(folder, retrain="make train")
    except (NotFound, ArtifactError, SignatureError) as error:
        missing = f"no model {tag} in the BentoML store; run: make train"
        raise BentoMLException(missing if isinstance(error, NotFound) else str(error)) from None
