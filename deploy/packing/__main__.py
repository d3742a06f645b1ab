"""`python -m deploy.packing`: a model and the service as a bento and an image.

Standard output holds only the result, a tag or a name, as its last line; everything else goes to standard error.
"""

import argparse
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.packing", description=__doc__)
    commands = parser.add_subparsers(metavar="command", required=True)

    def command(name: str, function: object, help_: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help_, description=help_)
        made.set_defaults(run=function)
        return made

    made = command("bento", bento, "build the bento of a model, if it is not there")
    made.add_argument("model", help="its tag, <name>:<version>")
    made = command("import", import_, "import the archive of a bento into the BentoML store")
    made.add_argument("archive", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())
