"""The commands that study a model beside the pipeline: its stability over seeds, and alternatives to it.

Owns their options and what they print. Each first runs the stages that it needs. Nothing is published or chosen here.
"""

import argparse

from train.console import Console
from train.workspace import Workspace

HELP = {
    "stability": "train the model with other seeds: what changes of figures, decisions and reasons",
    "alternatives": "search for models that cost as little and approve groups more alike",
}


def add_options(name: str, command: argparse.ArgumentParser) -> None:
    """The options of a study."""
    if name == "stability":
        command.add_argument("--seeds", type=int, default=10, help="its own and the next ones (default: 10)")
    else:
        command.add_argument("--within", type=_share, default=0.05, help="of the least cost, above it (default: 0.05)")


def run(options: argparse.Namespace, workspace: Workspace) -> str:
    """Make a study; returns what it found, as Markdown."""
    study = stability if options.command == "stability" else alternatives
    return study(options, workspace, Console())


def stability(options: argparse.Namespace, workspace: Workspace, console: Console) -> str:
    """Train the model with other seeds."""
    from train.pipeline import run as run_stages
    from train.publishing.store import stored
    from train.validation.sections import stable
    from train.validation.stability import measure

    run_stages(workspace, ["check", "split", "fit", "export"], console)
    found = measure(workspace, options.seeds, console)
    if stored(workspace.dataset.name, workspace.version) is not None:
        console.print(f"the card of {workspace.tag} was published before and stays as it is")
    return stable(found)


def alternatives(options: argparse.Namespace, workspace: Workspace, console: Console) -> str:
    """Search for less discriminatory alternatives."""
    from train.alternatives.page import markdown, plot
    from train.alternatives.search import search
    from train.evaluation.figures import png
    from train.pipeline import run as run_stages

    run_stages(workspace, ["check", "split"], console)
    found = search(workspace, options.within, console)
    workspace.write("alternatives.png", png(plot(found)))
    console.print(f"plotted   {workspace.path('alternatives.png')}")
    return markdown(found)


def _share(text: str) -> float:
    if not 0 <= (share := float(text)) <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share from 0 to 1")
    return share
