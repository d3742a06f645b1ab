"""`python -m train`: train, judge and publish a model, and manage the published versions.

Standard output holds only the result (a tag, a draft, a table); everything else goes to standard error.
"""

import os

from configs.opt_outs import opt_out

opt_out(os.environ)  # before the imports below: ONNX Runtime reports as soon as it is imported

import argparse
import sys
from pathlib import Path

from configs.source import ConfigError
from signatures.keys import SignatureError
from train import decisions, studies
from train.errors import PipelineError
from train.process_environment import CACHES, IGNORED, SWITCHES
from train.workspace import Workspace

# As in `train.pipeline`, which imports PyTorch.
STAGES = ("check", "split", "fit", "export", "evaluate", "gate", "publish")

SIGNING_KEY_VARIABLE = "SCORER_SIGNING_KEY"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    # BentoML, MLflow and PyTorch read these at import, which takes seconds and comes later.
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
    for name, folder in CACHES.items():
        os.environ.setdefault(name, str(Path(folder).absolute()))
    for name in [name for name in IGNORED if os.environ.pop(name, "")]:
        print(f"{name} is set in the environment and is ignored: {IGNORED[name]}", file=sys.stderr)
    try:
        return int(options.run(options))
    except (ConfigError, PipelineError, SignatureError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error}; free disk space or fix the permissions, and run again", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing was published", file=sys.stderr)
        return 130


def run(options: argparse.Namespace) -> int:
    """Run all stages, or the one given."""
    workspace = _workspace(options)
    tag = workspace.tag  # reads every input: a mistake in one is reported before PyTorch, whose import takes seconds
    if options.if_missing:
        from train.publishing.store import stored

        if stored(workspace.dataset.name, workspace.version) is not None:
            print(f"model     {tag} is in the store", file=sys.stderr)
            print(tag)
            return 0

    from train.console import Console
    from train.pipeline import run as run_stages

    names = list(STAGES) if options.command == "run" else [options.command]
    run_stages(workspace, names, Console())
    if "publish" in names:
        print(tag)
    return 0


def tag(options: argparse.Namespace) -> int:
    """Print the tag that these inputs give, or that of the champion, without training."""
    workspace = _workspace(options)
    if not options.champion:
        print(workspace.tag)
        return 0

    from train.publishing.store import champion_of_store

    found = champion_of_store(workspace.dataset.name)
    if found is None:
        raise PipelineError(
            f"{workspace.dataset.name} has no intact champion in the BentoML store; train a first model: make train, "
            "or choose one: python -m train promote VERSION --why REASON"
        )
    print(found.tag)
    return 0


def change(options: argparse.Namespace) -> int:
    """Promote a version, or roll back."""
    print(decisions.change(options, _workspace(options)))
    return 0


def history(options: argparse.Namespace) -> int:
    """Print every change of the champion."""
    lines, whole = decisions.history(_workspace(options))
    print(*lines, sep="\n", end="\n" if lines else "")
    if whole:
        print(f"history   {whole}", file=sys.stderr)
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Print the leaderboard of a table, or what the model file is on several."""
    from train.console import Console
    from train.evaluation.leaderboard import leaderboard, study_of_files

    if options.tables:
        print(study_of_files(options.tables.split(), options.model, options.repeats, options.plot, Console()))
    else:
        print(leaderboard(_workspace(options), options.repeats, Console()))
    return 0


def search(options: argparse.Namespace) -> int:
    """Search for a better model file, and print its path."""
    from train.console import Console
    from train.tuning.search import tune

    print(tune(_workspace(options), options.trials, options.out, Console()))
    return 0


def study(options: argparse.Namespace) -> int:
    """Print what a study of the model found."""
    print(studies.run(options, _workspace(options)))
    return 0


def choose(options: argparse.Namespace) -> int:
    """Record which alternative a person has chosen."""
    print(*decisions.choose(options, _workspace(options)), sep="\n")
    return 0


def draft(options: argparse.Namespace) -> int:
    """Print a draft of a dataset file for a table."""
    from train.drafting.describe import describe

    print(describe(options.table, options.target, options.event), end="")
    return 0


def _workspace(options: argparse.Namespace) -> Workspace:
    from signatures.keys import private_key

    named = options.signing_key or os.environ.get(SIGNING_KEY_VARIABLE, "")
    return Workspace(options.dataset, options.model, options.gates, private_key(Path(named)) if named else None)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    inputs = argparse.ArgumentParser(add_help=False)
    inputs.add_argument("--dataset", type=Path, default=Path("configs/datasets/german_credit.yaml"))
    inputs.add_argument("--model", type=Path, default=Path("configs/models/001_production.yaml"))
    inputs.add_argument(
        "--signing-key",
        default="",
        metavar="KEY",
        help=f"PEM file of the private key that signs what is published or promoted (default: {SIGNING_KEY_VARIABLE})",
    )
    inputs.add_argument("--gates", type=Path, default=Path("configs/gates.yaml"))
    parser = argparse.ArgumentParser(prog="python -m train", description=__doc__, parents=[inputs])
    parser.add_argument("--if-missing", action="store_true", help="do nothing if the store already has this model")
    parser.set_defaults(command="run", run=run)
    commands = parser.add_subparsers(metavar="command")

    def command(name: str, function: object, help_: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help_, description=help_, parents=[inputs])
        made.set_defaults(command=name, run=function, if_missing=False)
        return made

    for stage in STAGES:
        command(stage, run, f"run only the stage {stage}, from the files of earlier stages")
    made = command("tag", tag, "print the tag that these inputs give, without training")
    made.add_argument("--champion", action="store_true", help="print the tag of the champion instead")
    made = command("promote", change, "make a published version the champion")
    made.add_argument("version", help="a version, or the first characters of one")
    decisions.add_reason(made)
    decisions.add_reason(command("rollback", change, "make the previous champion the champion again"))
    made = command("leaderboard", evaluate, "compare every model file and classic models on the same repeated folds")
    made.add_argument("--repeats", type=int, default=10, help="of ten folds (default: 10)")
    made.add_argument(
        "--tables", default="", help="dataset files to compare the model file on, with spaces between them"
    )
    made.add_argument("--plot", type=Path, default=Path("var/train/study.svg"), help="the plot of such a comparison")
    made = command(
        "tune", search, "search for a better model file, starting from the given one; resumes where it stopped"
    )
    made.add_argument("--trials", type=_count, default=50, help="in total, with those of earlier runs (default: 50)")
    made.add_argument("--out", type=Path, default=Path("configs/models/tuned.yaml"), help="the model file to write")
    for name, help_ in studies.HELP.items():
        studies.add_options(name, command(name, study, help_))
    made = command("choose", choose, "record which alternative a person has chosen, and write its model file")
    made.add_argument("name", help="of an option that was offered")
    made.add_argument("--out", type=Path, default=Path("configs/models/alternative.yaml"), help="the file to write")
    decisions.add_reason(made)
    command("history", history, "print every change of the champion and every choice: who, when, why, on what")
    made = command(
        "describe", draft, "draft the dataset file of a table: types, ranges, vocabularies, protected columns"
    )
    made.add_argument("table", type=Path, help="CSV or Parquet")
    made.add_argument("--target", required=True, help="the column to predict")
    made.add_argument("--event", help="the value whose probability to predict; without it, the values are listed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
