"""Whether a gate has compared a model with the champion: `python .ci/comparison.py <champion> <folder of the model>`.

The gate compares model files, fitted on the same folds, so that there is none where both models have the same file.
Owns the sentence that says so, by what the training has written: `var/train/<dataset>/<model>/judgement.json`.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

GATE = "gain over the champion"  # as train/gating/champion.py names it, with the version of the champion


def sentence(champion: str, verdicts: Sequence[Mapping[str, Any]]) -> str:
    """What the gates have said of the two.

    >>> sentence("scorer:00ff", [{"gate": "gain over the champion, 00ff", "status": "warn"}])
    'The gate `gain over the champion, 00ff` compared them: warn. The card below has its figure.'
    >>> sentence("scorer:00ff", [{"gate": "ONNX parity", "status": "pass"}])
    '**No gate compared them**: same model file; see the table below.'
    """
    name = f"{GATE}, {champion.partition(':')[2]}"
    for verdict in verdicts:
        if verdict["gate"] == name:
            return f"The gate `{name}` compared them: {verdict['status']}. The card below has its figure."
    return "**No gate compared them**: same model file; see the table below."


def main(champion: str, folder: Path) -> None:
    """Print it, or that the verdicts are not here."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    path = Path("var/train") / manifest["name"] / Path(manifest["model_config"]).stem / "judgement.json"
    if path.is_file():
        print(sentence(champion, json.loads(path.read_text(encoding="utf-8"))["verdicts"]))
    else:
        print(f"**Nobody knows whether a gate compared them**: no {path} here; train first, make repro.")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
