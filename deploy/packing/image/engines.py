"""The programs that build, run and push images: docker, podman, and buildah where no daemon and no cgroups are.

Owns which one is used and the differences of their command lines. Leaves what is built to `deploy.packing.image.build`.
"""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.packing.errors import PackingError

NAMES = ("docker", "podman", "buildah")
NONE = (
    "neither docker nor podman answers, and buildah is not installed; start one of them, or install buildah: apt-get "
    "install buildah debootstrap skopeo"
)


def engine(asked: str = "") -> "Engine":
    """The engine of that name, or the first that works here."""
    if asked and asked not in NAMES:
        raise PackingError(f"ENGINE={asked}: no such engine; give one of {', '.join(NAMES)}")
    for name in (asked,) if asked else NAMES:
        if shutil.which(name) and (name == "buildah" or _succeeds([name, "info"])):
            return Engine(name)
    raise PackingError(f"ENGINE={asked}: does not work here (`{asked} info` fails); {NONE}" if asked else NONE)


class Engine:
    """One of the programs, by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def is_buildah(self) -> bool:
        """Whether images are built and run without a daemon, in a chroot."""
        return self.name == "buildah"

    def build(
        self, context: Path, name: str, arguments: Mapping[str, str], labels: Mapping[str, str], time_s: int
    ) -> None:
        """Build `context` as the image `name`; every file in it gets the time `time_s`, in seconds since 1970."""
        given = [f"--build-arg={key}={value}" for key, value in arguments.items()]
        given += [f"--label={key}={value}" for key, value in labels.items()]
        if self.is_buildah:
            # The format of Docker, as OCI's has no health check. The network of the host is that of a chroot anyway.
            own = [
                "build",
                "--format=docker",
                "--isolation=chroot",
                "--network=host",
                "--layers",
                f"--timestamp={time_s}",
            ]
        elif self.name == "podman":
            own = ["build", "--format=docker", "--network=none", "--layers", f"--timestamp={time_s}"]
        else:
            if not _succeeds([self.name, "buildx", "version"]):
                raise PackingError(
                    "docker has no buildx, which builds the image; install it: docs.docker.com/go/buildx"
                )
            own = ["buildx", "build", "--load", "--network=none", "--provenance=false"]
            own += [f"--build-arg=SOURCE_DATE_EPOCH={time_s}"]
        self.run([*own, *given, f"--tag={name}", f"--file={context / 'Dockerfile'}", str(context)])

    def id_of(self, image: str) -> str | None:
        """The id of an image of this machine; None if there is none of that name."""
        if self.is_buildah:
            command = ["inspect", "--type=image", "--format={{.FromImageID}}", image]
        else:
            command = ["image", "inspect", "--format={{.Id}}", image]
        done = self._ask(command)
        return done.stdout.strip().removeprefix("sha256:") if done.returncode == 0 else None

    def require(self, image: str) -> str:
        """The id of an image that has to be there."""
        found = self.id_of(image)
        if found is None:
            raise PackingError(f"{self.name} has no image {image}; build it: make image")
        return found

    def label(self, image: str, name: str) -> str:
        """A label of an image of this machine; empty if it has none of that name."""
        place = "OCIv1.Config.Labels" if self.is_buildah else "Config.Labels"
        return self.run(["inspect", "--type=image", f'--format={{{{index .{place} "{name}"}}}}', image])

    def save(self, image: str, archive: Path) -> None:
        """Write an image to `archive`, in the format of `docker save`."""
        archive.unlink(missing_ok=True)
        if self.is_buildah:
            self.run(["push", "--quiet", image, f"docker-archive:{archive}:{image}"])
        else:
            self.run(["save", "--output", str(archive), image])

    def run(self, command: Sequence[str]) -> str:
        """Run one command of the engine; what it printed, or an error with it."""
        done = self._ask(command)
        if done.returncode:
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
            raise PackingError(f"`{self.name} {' '.join(command[:2])} …` failed:\n{said}")
        return done.stdout.strip()

    def _ask(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.name, *command], capture_output=True, text=True, check=False)  # noqa: S603


def _succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603
