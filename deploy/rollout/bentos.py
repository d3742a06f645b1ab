"""Which bentos are in the BentoML store. Reads its folders; importing BentoML takes two seconds."""

from collections.abc import Mapping
from pathlib import Path

from deploy.rollout.errors import RolloutError


def store(environment: Mapping[str, str]) -> Path:
    """The folder of the BentoML store."""
    return Path(environment.get("BENTOML_HOME") or Path.home() / "bentoml").absolute()


def resolve(home: Path, bento: str, version: str) -> str:
    """The version of a bento that is in the store.

    Args:
        home: of the store.
        bento: its name.
        version: with or without the name in front; `latest` is the one built last.
    """
    name, _, wanted = version.rpartition(":")
    if name not in ("", bento):
        raise RolloutError(f"{version} is no {bento}; give a version of {bento}, or set bento in configs/rollout.yaml")
    folder = home / "bentos" / bento
    if wanted == "latest":
        try:
            wanted = (folder / "latest").read_text(encoding="utf-8").strip()
        except OSError:
            wanted = "latest"
    if "/" in wanted or wanted.startswith(".") or not (folder / wanted / "bento.yaml").is_file():
        built = [path.parent for path in folder.glob("*/bento.yaml")]
        known = sorted(built, key=lambda path: (path / "bento.yaml").stat().st_mtime, reverse=True)
        names = ", ".join(path.name for path in known[:10]) or "none"
        raise RolloutError(
            f"there is no bento {bento}:{wanted} in {home}; there are: {names}; build one with: make bento"
        )
    return wanted


def private_home(home: Path, folder: Path) -> Path:
    """A BENTOML_HOME for one instance, with the bentos and models of the real one.

    BentoML empties the folder of the metrics under BENTOML_HOME whenever a service starts there, so two services that
    run at once need one each.
    """
    own = folder / "bentoml"
    own.mkdir(parents=True, exist_ok=True)
    for name in ("bentos", "models"):
        link = own / name
        if not link.is_symlink():
            link.symlink_to(home / name)
    return own
