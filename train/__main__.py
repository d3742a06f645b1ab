"""`python -m train`: train and publish. `python -m train tag`: the tag that these inputs give, without training.

Either way standard output is the tag alone, and all else goes to standard error.
"""

import argparse
import os
import sys
from pathlib import Path

from configs.dataset import read_dataset
from configs.model import read_model
from configs.source import ConfigError
from train.errors import PipelineError
from train.version import model_version


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _options(arguments)
    # BentoML, MLflow and PyTorch take seconds to import and read these switches while they do.
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        return _run(options)
    except (ConfigError, PipelineError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing was published", file=sys.stderr)
        return 130


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train", description=__doc__)
    parser.add_argument("command", nargs="?", choices=("run", "tag"), default="run")
    parser.add_argument("--dataset", type=Path, default=Path("configs/datasets/german_credit.yaml"))
    parser.add_argument("--model", type=Path, default=Path("configs/models/001_production.yaml"))
    parser.add_argument("--if-missing", action="store_true", help="do nothing when the store has this very model")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace) -> int:
    dataset, config = read_dataset(options.dataset), read_model(options.model)
    version = model_version(dataset, config)
    if options.command == "tag":
        print(f"{dataset.name}:{version}")
        return 0
    if options.if_missing:
        from train.publish import stored

        if stored(dataset.name, version) is not None:
            print(f"model     {dataset.name}:{version} is in the store", file=sys.stderr)
            print(f"{dataset.name}:{version}")
            return 0

    from train.console import Console
    from train.pipeline import train

    console = Console()
    console.say(f"training  {dataset.name}:{version} from {options.dataset} and {options.model}")
    published, metrics = train(dataset, config, options.dataset, options.model, console)
    console.summary(published, metrics)
    print(published.tag)
    return 0


if __name__ == "__main__":
    sys.exit(main())
