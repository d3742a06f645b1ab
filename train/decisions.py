"""The commands by which a person decides: promote, roll back, choose an alternative, and the record of all of it.

Owns their options and what they say. Leaves who may decide to `train.publishing.approval`, and what a decision
changes to `train.registry`.
"""

import argparse
from pathlib import Path

from train.publishing.approval import Decision, decision
from train.workspace import Workspace


def decided(options: argparse.Namespace, workspace: Workspace) -> Decision:
    """Who decides, and why, as the options of `add_reason` say; raises for somebody who may not."""
    from signatures.keys import private_key

    own_key = private_key(Path(options.approver_key)) if options.approver_key else workspace.signing_key
    return decision(options.by, options.why, workspace.gates.approvers, own_key)


def change(options: argparse.Namespace, workspace: Workspace) -> str:
    """Promote a version, or roll back; returns what became of it."""
    from train import registry

    name, key = workspace.dataset.name, workspace.signing_key
    by = decided(options, workspace)
    if options.command == "promote":
        event = registry.promote(name, options.version, by, key)
    else:
        event = registry.rollback(name, by, key)
    return f"{name}:{event.version} is the champion; services that follow the champion serve it after a restart"


def choose(options: argparse.Namespace, workspace: Workspace) -> list[str]:
    """Choose from a search for alternatives; returns what became of it, and what is left to do."""
    from train.alternatives.choice import choose

    return choose(workspace, options.name, decided(options, workspace), options.out)


def history(workspace: Workspace) -> tuple[list[str], str]:
    """Every change of the champion and every choice, a line each, and what the history of the store holds, if any."""
    from train import registry
    from train.alternatives import record
    from train.publishing.promotions import verified
    from train.publishing.store import versions_folder

    name, gates = workspace.dataset.name, workspace.gates
    events = registry.history(name)
    lines = []
    for event in events:
        before = f" instead of {event.instead_of}" if event.instead_of else ""
        changed = f"{event.at}  {event.action:8}  {event.version}{before}"
        lines.append(f"{changed}  by {event.by}: {event.why}  [{event.evidence}]")
    lines += record.lines(record.choices(name), gates.approvers)
    folder = versions_folder(name)
    return sorted(lines), verified(folder, events, workspace.signing_key, gates.approvers) if folder else ""


def add_reason(command: argparse.ArgumentParser) -> None:
    """The options of a command by which a person decides."""
    command.add_argument("--by", default="", help="who decides (default: the owner of the key, or the current user)")
    command.add_argument(
        "--approver-key",
        default="",
        metavar="KEY",
        help="PEM file of the private key of who decides, where approvers have keys (default: the signing key)",
    )
    command.add_argument("--why", required=True, help="the reason, for the record")
