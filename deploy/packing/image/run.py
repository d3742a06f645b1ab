"""Runs the image on this machine, as it runs elsewhere: user 1034, read-only file system, one volume for the records.

Owns the command lines, and under buildah the container, which is removed at the end, and the signals. Callers need no
key where the ports are published on loopback alone; elsewhere the service refuses whoever has none.
"""

import ipaddress
import os
import shlex
import signal
import subprocess
import tempfile
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.packing.image.engines import Engine

USER = 1034
MOUNT = "/scorer/var"
VOLUME = "credit-scorer"  # of docker or podman
STOP_S = 60  # seconds from SIGTERM to SIGKILL: requests and profiles are finished first
ENVIRONMENT = "/run/scorer-environment"  # in the container under buildah
# What holds for a service of this machine alone: its places and ports, and the keys of the rollout.
OURS = {"SCORER_DIRECTORY", "SCORER_GRPC_HOST", "SCORER_GRPC_PORT", "SCORER_ROLLOUT_KEY", "SCORER_LOAD_KEY"}
FOLDER = Path("var/container")  # the volume under buildah, in the working directory


@dataclass(frozen=True)
class Address:
    """Where the service listens on this machine."""

    host: str
    http: int
    grpc: int


def run_image(image: str, engine: Engine, address: Address, volume: str, environment: Mapping[str, str]) -> int:
    """Run the image until it ends or is told to; its exit code.

    Args:
        image: its name.
        engine: what runs it.
        address: where it listens.
        volume: a volume of docker's, or a folder; empty for the usual one.
        environment: variables, of which those for the service (`SCORER_…`) are passed on.
    """
    engine.require(image)
    settings = {name: value for name, value in environment.items() if name.startswith("SCORER_") and name not in OURS}
    if engine.is_buildah:
        return _in_chroot(image, engine, address, Path(volume) if volume else FOLDER, settings)
    if ipaddress.ip_address(address.host).is_loopback:
        # The engine's bridge is another machine to the service, and still this one.
        settings.setdefault("SCORER_OPEN_TO_NETWORK", "true")
        settings.setdefault("SCORER_ALLOWED_HOSTS", "localhost")  # and no page of another name
        settings.setdefault("SCORER_KEYS_WITHOUT_TLS", "true")
    command = [engine.name, "run", "--rm", "--read-only", f"--stop-timeout={STOP_S}"]
    command += [f"--volume={volume or VOLUME}:{MOUNT}"]
    command += [f"--publish={address.host}:{address.http}:3000", f"--publish={address.host}:{address.grpc}:3001"]
    # By name alone, as everybody on this machine can read the arguments: the engine looks the value up.
    command += [f"--env={name}" for name in settings]
    return _forward([*command, image], {**environment, **settings})


def _in_chroot(image: str, engine: Engine, address: Address, folder: Path, settings: Mapping[str, str]) -> int:
    """`buildah run`, which shares the network with this machine and cannot make the file system read-only.

    Nothing but the volume and /tmp can be written by the user all the same: everything else belongs to root.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if os.getuid() == 0:
        os.chown(folder, USER, USER)
    variables = {
        **settings,
        "BENTOML_HOST": address.host,
        "BENTOML_PORT": str(address.http),
        "SCORER_GRPC_HOST": address.host,
        "SCORER_GRPC_PORT": str(address.grpc),
    }
    container = engine.run(["from", "--pull-never", image])
    # buildah takes values as arguments alone, which everybody on this machine can read, so they are in a file.
    with tempfile.TemporaryDirectory(prefix="scorer-") as place:
        file = Path(place) / "environment"
        file.touch(mode=0o600)
        file.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()))
        if os.getuid() == 0:
            os.chown(file, USER, USER)
        try:
            command = [engine.name, "run", "--isolation=chroot", f"--volume={folder.absolute()}:{MOUNT}"]
            command += [f"--volume={file}:{ENVIRONMENT}:ro"]
            start = f". {ENVIRONMENT} && exec /scorer/entrypoint.sh"
            return _forward([*command, container, "--", "/bin/sh", "-c", start], None)
        finally:
            engine.run(["rm", container])


def _forward(command: list[str], environment: Mapping[str, str] | None) -> int:
    """Run a container and pass signals on to what runs inside; the exit code of that.

    docker and podman do the last step themselves. buildah kills its container when it gets a signal, so it stands in a
    group of its own, which Ctrl-C does not reach.
    """
    process = subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603 - our own arguments
    is_buildah = Path(command[0]).name == "buildah"

    def pass_on(number: int, _: types.FrameType | None) -> None:
        inner = _inside(process.pid) if is_buildah else None
        if inner is not None:
            inner.send_signal(number)
        else:
            process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        return process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _inside(pid: int) -> psutil.Process | None:
    """The first process below `pid` that is not one of buildah's own."""
    try:
        return next(
            (child for child in psutil.Process(pid).children(recursive=True) if "buildah" not in child.cmdline()[0]),
            None,
        )
    except (psutil.NoSuchProcess, IndexError):
        return None
