"""`python -m deploy.packing`: a model and the service as a bento and an image.

Standard output holds only the result, a tag or a name, as its last line; everything else goes to standard error.
"""

import argparse
import os
import sys
from pathlib import Path

from deploy.packing.errors import PackingError
from signatures.keys import SignatureError


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (PackingError, SignatureError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error}; free disk space or fix the permissions, and run again", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what was not finished is not there", file=sys.stderr)
        return 130


def bento(options: argparse.Namespace) -> int:
    """Build the bento of a model."""
    from deploy.packing.bento import archive_of, build

    tag, is_new = build(options.model)
    archive = archive_of(tag.partition(":")[2])
    print(f"bento     {tag} {'of' if is_new else 'is there already, of'} {options.model}: {archive}", file=sys.stderr)
    print(tag)
    return 0


def import_(options: argparse.Namespace) -> int:
    """Import the archive of a bento into the BentoML store."""
    from deploy.packing.bento import import_archive

    print(import_archive(options.archive))
    return 0


def image(options: argparse.Namespace) -> int:
    """Build the image of a bento."""
    from deploy.packing.engines import engine
    from deploy.packing.image import build_image

    chosen = engine(options.engine)
    name = build_image(options.bento, chosen, options.base)
    print(f"image     {name} in the store of {chosen.name}, of {options.bento}", file=sys.stderr)
    print(name)
    return 0


def run(options: argparse.Namespace) -> int:
    """Run an image until it is stopped."""
    from deploy.packing.engines import engine
    from deploy.packing.run import Address, run_image

    address = Address(options.host, options.port, options.grpc_port)
    return run_image(options.image, engine(options.engine), address, options.volume, os.environ)


def _parser() -> argparse.ArgumentParser:
    engines = argparse.ArgumentParser(add_help=False)
    engines.add_argument("--engine", default="", help="docker, podman or buildah (default: the first that works)")
    parser = argparse.ArgumentParser(prog="python -m deploy.packing", description=__doc__)
    commands = parser.add_subparsers(metavar="command", required=True)

    def command(name: str, function: object, help_: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help_, description=help_, parents=parents)
        made.set_defaults(run=function)
        return made

    made = command("bento", bento, "build the bento of a model, if it is not there")
    made.add_argument("model", help="its tag, <name>:<version>")
    made = command("import", import_, "import the archive of a bento into the BentoML store")
    made.add_argument("archive", type=Path)
    made = command("image", image, "build the image of a bento", engines)
    made.add_argument("bento", help="its tag, as `bento` prints it")
    made.add_argument("--base", default="", help="the image to build from (default: python:3.11-slim)")
    made = command("run", run, "run an image on this machine until it is stopped", engines)
    made.add_argument("image", help="its name, as `image` prints it")
    made.add_argument("--host", default="127.0.0.1")
    made.add_argument("--port", type=int, default=3000)
    made.add_argument("--grpc-port", type=int, default=3001)
    made.add_argument("--volume", default="", help="a volume, or a folder (default: credit-scorer, var/container)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
