"""The registry: which versions exist, which one is the champion, and who promoted it, when and why.

Owns MLflow's registered model of a dataset, its aliases and its history. Who is champion is said in one place, the
BentoML store, which the service follows (`models.champion`); MLflow has a copy as an alias, and the record of changes.
MLflow no longer has stages; `challenger` and `champion` are aliases.

History is a stack: a promotion pushes a version, a rollback pops one. Each event is a tag of the registered model,
`history.<time>`, so that MLflow's UI shows it and no event overwrites another. Where MLflow was begun anew, or another
one is used, it does not know the store's champion: the next change records it first, as `adopted`.
"""

from datetime import UTC, datetime
from pathlib import Path

import mlflow
import msgspec
from mlflow.exceptions import MlflowException

from models import artifact
from models.champion import ALIAS as CHAMPION
from models.champion import champion, named_champion, set_champion
from train.errors import PipelineError
from train.publishing import promotions, store
from train.publishing.approval import Decision
from train.publishing.promotions import PIPELINE, Event, SigningKey, champion_of
from train.tracking import connect, reachable, without_password

CHALLENGER = "challenger"
DIGEST = "model_sha256"  # tag of a version: of its model.onnx
HISTORY = "history."


def register(name: str, version: str, run_id: str, model_uri: str, digest: str) -> str:
    """Register `<name>:<version>` and make it the challenger; returns MLflow's version number.

    Args:
        name: of the dataset.
        version: derived from content.
        run_id: of the run that made it.
        model_uri: MLflow's address of the graph.
        digest: SHA-256 of `model.onnx`; a registered version with another one is refused.
    """
    client = mlflow.MlflowClient()
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    number = _number(name, version)
    if number is not None:
        _refuse_another(name, version, number, digest)
    else:
        made = client.create_model_version(
            name,
            model_uri,
            run_id=run_id,
            tags={"bentoml": f"{name}:{version}", "version": version, DIGEST: digest},
            model_id=model_uri.removeprefix("models:/"),  # a server rejects the URI without it
        )
        number = str(made.version)
    client.set_registered_model_alias(name, CHALLENGER, number)
    return number


def promote_first(name: str, version: str, evidence: str, key: SigningKey) -> bool:
    """Make the first version the champion, unless there is one already; returns whether it is the champion now."""
    with reachable():
        folder, known = versions_folder(name), champion_of(history(name))
        current = champion(folder, apart_from=version)
        if current is None and known:
            if (folder / known[-1]).is_dir():  # only the file was lost
                set_champion(folder, known[-1])
            return known[-1] == version
        if current is None:
            event = Event("first", version, "", PIPELINE, "the first to pass the gates", _now(), evidence)
            _change(name, event, key)
            return True
        _adopt(name, current, known, key)
    return current == version


def promote(name: str, version: str, decision: Decision, key: SigningKey = None) -> Event:
    """Make a published version the champion."""
    with reachable():
        connect()
        version = resolve(name, version)
        before = _stack(name, key)
        signed = all(promotions.is_recorded(versions_folder(name), version, one) for one in (key, decision.key))
        if before and before[-1] == version and signed:
            raise PipelineError(f"{name}:{version} is already the champion")
        instead_of, evidence = before[-1] if before else "", evidence_of(name, version)
        event = Event("promote", version, instead_of, decision.by, decision.why, _now(), evidence)
        _change(name, event, key, decision.key)
    return event


def rollback(name: str, decision: Decision, key: SigningKey = None) -> Event:
    """Make the previous champion the champion again."""
    with reachable():
        connect()
        before = _stack(name, key)
        if len(before) < 2:
            raise PipelineError(f"{name} has no previous champion to roll back to")
        resolve(name, before[-2])
        evidence = evidence_of(name, before[-2])
        event = Event("rollback", before[-2], before[-1], decision.by, decision.why, _now(), evidence)
        _change(name, event, key, decision.key)
    return event


def history(name: str) -> list[Event]:
    """Every change of the champion, oldest first."""
    with reachable():
        connect()
        try:
            found = mlflow.MlflowClient().get_registered_model(name).tags
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return []
            raise
        return [msgspec.json.decode(found[key], type=Event) for key in sorted(found) if key.startswith(HISTORY)]


def resolve(name: str, version: str) -> str:
    """The version, in both the BentoML store and the registry, that starts with `version`."""
    wanted = version.removeprefix(f"{name}:")
    known = sorted(path.name for path in versions_folder(name).iterdir() if path.is_dir())
    found = [candidate for candidate in known if candidate.startswith(wanted)] if wanted else []
    if len(found) != 1:
        problem = "is not in the BentoML store" if not found else "is ambiguous: " + ", ".join(found)
        raise PipelineError(f"{name}:{wanted} {problem}; it has {', '.join(known)}")
    number = _number(name, found[0])
    if number is None:
        raise PipelineError(f"{name}:{found[0]} is not in the registry at {mlflow.get_tracking_uri()}; train it again")
    kept = store.stored(name, found[0])
    if kept is not None:
        _refuse_another(name, found[0], number, kept.manifest.sha256[artifact.MODEL])
    return found[0]


def versions_folder(name: str) -> Path:
    """The folder with the versions of a model in the BentoML store."""
    folder = store.versions_folder(name)
    if folder is None:
        raise PipelineError(f"the BentoML store has no model {name}; run: make train")
    return folder


def evidence_of(name: str, version: str) -> str:
    """The run of a version and the verdicts of its gates."""
    client = mlflow.MlflowClient()
    number = _number(name, version)
    run_id = client.get_model_version(name, str(number)).run_id
    return f"run {run_id}: gates {client.get_run(str(run_id)).data.tags.get('gates', 'unknown')}"


def _refuse_another(name: str, version: str, number: str, digest: str) -> None:
    known = mlflow.MlflowClient().get_model_version(name, number).tags.get(DIGEST, digest)
    if known != digest:
        uri = without_password(mlflow.get_tracking_uri())
        raise PipelineError(
            f"the registry at {uri} has another {name}:{version}, as version {number}: {artifact.MODEL} differs, "
            f"SHA-256 {known[:16]}… there and {digest[:16]}… here. {store.TWO_MODELS}; keep it, or delete that version "
            "in MLflow and publish again"
        )


def _number(name: str, version: str) -> str | None:
    found = mlflow.MlflowClient().search_model_versions(f"name = '{name}' and tags.version = '{version}'")
    return str(found[0].version) if found else None


def _stack(name: str, key: SigningKey) -> list[str]:
    """The champions that led to the store's champion, which is last."""
    folder, known = versions_folder(name), champion_of(history(name))
    found, current = promotions.entries(folder), named_champion(folder)
    if found and current == found[-1].promotion.instead_of:  # a change was interrupted before its last step
        set_champion(folder, found[-1].version)
        current = found[-1].version
    promotions.refuse_edited(folder, found)
    return known if current is None else _adopt(name, current, known, key)


def _adopt(name: str, current: str, known: list[str], key: SigningKey) -> list[str]:
    """The stack with the store's champion on top; where it was not, that is recorded."""
    if known and known[-1] == current:
        return known
    why = "the champion of the BentoML store, which this registry did not know as such"
    _change(
        name,
        Event("adopted", current, known[-1] if known else "", PIPELINE, why, _now(), "recorded elsewhere"),
        key,
    )
    return [*known, current]


def _change(name: str, event: Event, *keys: SigningKey) -> None:
    """Record a change in the registry first, then in the store: meanwhile services still find the previous champion."""
    folder = versions_folder(name)
    client = mlflow.MlflowClient()
    client.set_registered_model_tag(name, HISTORY + event.at, msgspec.json.encode(event).decode())
    number = _number(name, event.version)
    if number is not None:  # an adopted version may have been registered elsewhere only
        client.set_registered_model_alias(name, CHAMPION, number)
        if CHALLENGER in client.get_model_version(name, number).aliases:
            client.delete_registered_model_alias(name, CHALLENGER)
    promotions.record(folder, event, *keys)
    set_champion(folder, event.version)


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
