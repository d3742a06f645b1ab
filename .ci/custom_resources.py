"""The custom resources of rendered manifests as a JSON list: `python .ci/custom_resources.py <file>`.

Those are the kinds of operators, whose groups are domains that are not of Kubernetes itself.
"""

import json
import sys
from pathlib import Path

import yaml

OPERATORS = ("argoproj.io", "monitoring.coreos.com")


def main(path: Path) -> None:
    """Print them."""
    documents = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    found = [document for document in documents if document["apiVersion"].partition("/")[0] in OPERATORS]
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
