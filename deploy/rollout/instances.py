"""Starts and stops instances: each a command in a session of its own, with ports, log, records and BENTOML_HOME.

Owns: the folder of an instance, `instances/<name>/`: `serve.log`, `records/`, `bentoml/`. Instances outlive the command
that starts them. Leaves to others: whether an instance is fit to serve (gate), when it stops (rollout).
"""

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from configs.opt_outs import OPT_OUTS
from configs.rollout import RolloutConfig
from deploy.rollout import bentos, processes
from deploy.rollout.errors import InstanceError
from deploy.rollout.state import Instance


class Instances:
    """The instances of one deployment.

    Args:
        config: how they are started and stopped.
        directory: of the deployment, absolute.
    """

    def __init__(self, config: RolloutConfig, directory: Path) -> None:
        self._config = config
        self.folder = directory / "instances"

    def folder_of(self, name: str) -> Path:
        """The folder of an instance."""
        return self.folder / name

    def start(self, instance: Instance) -> Instance:
        """Start its command; return it with the id of its first process."""
        folder = self.folder_of(instance.name)
        home = bentos.private_home(bentos.store(os.environ), folder)
        names = {
            "bin": str(Path(sys.executable).parent),
            "bento": f"{self._config.bento}:{instance.version}",
            "version": instance.version,
            "port": str(instance.port),
            "grpc_port": str(instance.grpc_port),
        }
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},  # a bento brings its code
            **OPT_OUTS,
            "BENTOML_HOME": str(home),
            "SCORER_DIRECTORY": str(folder / "records"),
            "SCORER_GRPC_HOST": "127.0.0.1",
            "SCORER_GRPC_PORT": names["grpc_port"],
            **self._config.environment,
            processes.MARKER: str(folder),
        }
        command = [part.format(**names) for part in self._config.command]
        with (folder / "serve.log").open("ab") as log:
            try:
                process = subprocess.Popen(  # noqa: S603 - the command of the configuration
                    command,
                    cwd=folder,  # in a checkout, its modules would come before those of the bento
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except OSError as error:
                problem = f"cannot run {command[0]} ({error.strerror})"
                raise InstanceError(f"{problem}; set command in configs/rollout.yaml") from None
        process.returncode = 0  # it goes on without us, on purpose
        return msgspec.structs.replace(instance, pid=process.pid)

    def is_running(self, instance: Instance) -> bool:
        """Whether a process of it is there."""
        return bool(processes.of(self.folder_of(instance.name)))

    def stop(self, name: str, within_s: float) -> bool:
        """SIGTERM, then SIGKILL; return whether it ended by itself."""
        return processes.stop(self.folder_of(name), within_s)

    def strays(self, known: set[str]) -> list[str]:
        """Instances of this deployment that run and are not among `known`."""
        names = (path.name for path in self.folder.glob("*") if path.name not in known)
        return [name for name in names if processes.of(self.folder_of(name))]

    def last_words(self, name: str) -> str:
        """The last line of its log, and where the rest is."""
        log = self.folder_of(name) / "serve.log"
        return f"{processes.last_line(log)}; all of it is in {log}"
