"""The folder of a model in the BentoML store: `python .ci/model_folder.py <name>:<version>`.

`bentoml models get --output path` breaks a long path over several lines.
"""

import sys

import bentoml


def main(tag: str) -> None:
    """Print it."""
    print(bentoml.models.get(tag).path)


if __name__ == "__main__":
    main(sys.argv[1])
