"""Whether a gate has compared a model with the champion: `python .ci/comparison.py <champion> <folder of the model>`.

Two gates compare: one the model files, fitted on the same folds, one the graphs, on rows that neither saw.
Owns the sentence that says so, by what the training has written: `var/train/<dataset>/<model>/judgement.json`.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

GATES = ("gain over the champion", "gain over the champion's recipe")  # as train/gating/champion.py names them


def sentence(champion: str, verdicts: Sequence[Mapping[str, Any]]) -> str:
    """What the gates have said of the two.

    >>> sentence("scorer:00ff", [{"gate": "gain over the champion, 00ff", "status": "warn"}])
    'Gates compared them: `gain over the champion, 00ff` warn. The card below has the figures.'
    >>> sentence("scorer:00ff", [{"gate": "ONNX parity", "status": "pass"}])
    '**No gate compared them**: that champion was not in the store; see the table below.'
    """
    names = [f"{gate}, {champion.partition(':')[2]}" for gate in GATES]
    found = [f"`{verdict['gate']}` {verdict['status']}" for verdict in verdicts if verdict["gate"] in names]
    if found:
        return f"Gates compared them: {', '.join(found)}. The card below has the figures."
    return "**No gate compared them**: that champion was not in the store; see the table below."


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
