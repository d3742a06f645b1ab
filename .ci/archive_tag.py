"""The tag that the archive of a model names: `python .ci/archive_tag.py <file.bentomodel>`."""

import sys
import tarfile

import yaml


def tag_of(path: str) -> str:
    """`<name>:<version>`, from the `model.yaml` of BentoML; an error is a ValueError."""
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.name.removeprefix("./") == "model.yaml" and (file := archive.extractfile(member)):
                    found = yaml.safe_load(file)
                    return f"{found['name']}:{found['version']}"
    except (OSError, tarfile.TarError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ValueError(str(error)) from None
    raise ValueError("it has no model.yaml")


def main(path: str) -> int:
    """Print it."""
    try:
        print(tag_of(path))
    except ValueError as error:
        print(f"{path} is no archive of a model ({error}); make it anew: .ci/model export {path}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
