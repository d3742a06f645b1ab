"""`python -m deploy.packing`: a model and the service as a bento and an image.

Standard output holds only the result, a tag or a name, as its last line; everything else goes to standard error.
"""

import argparse
import ipaddress
import os
import sys
from pathlib import Path

from configs.opt_outs import opt_out
from deploy.packing.errors import PackingError
from deploy.packing.image.engines import engine
from signatures.keys import SignatureError, fingerprint, private_key
from signatures.model import write_signature


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    opt_out(os.environ)  # for the commands of BentoML that this starts
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
    from deploy.packing.bento.build import archive_of, build

    tag, is_new = build(options.model)
    archive = archive_of(tag.partition(":")[2])
    print(f"bento     {tag} {'of' if is_new else 'is there already, of'} {options.model}: {archive}", file=sys.stderr)
    print(tag)
    return 0


def import_(options: argparse.Namespace) -> int:
    """Import the archive of a bento into the BentoML store."""
    from deploy.packing.bento.importing import import_archive

    print(import_archive(options.archive))
    return 0


def image(options: argparse.Namespace) -> int:
    """Build the image of a bento."""
    from deploy.packing.image.build import build_image

    chosen = engine(options.engine)
    name = build_image(options.bento, chosen, options.base, options.name)
    print(f"image     {name} in the store of {chosen.name}, of {options.bento}", file=sys.stderr)
    print(name)
    return 0


def run(options: argparse.Namespace) -> int:
    """Run an image until it is stopped."""
    from deploy.packing.image.run import Address, run_image

    address = Address(options.host, options.port, options.grpc_port)
    return run_image(options.image, engine(options.engine), address, options.volume, os.environ)


def push(options: argparse.Namespace) -> int:
    """Push an image with what describes it, and sign it if a key is given."""
    from deploy.packing.registry.publication import publish

    key = private_key(options.key) if options.key else None
    pushed = publish(options.image, options.registry, engine(options.engine), key)
    signed = "signed" if key else "not signed: KEY= names a private key"
    print(f"pushed    {options.image}, with its bill of materials and provenance, {signed}", file=sys.stderr)
    print(pushed)
    return 0


def describe_joined(options: argparse.Namespace) -> int:
    """Describe and sign the image for several processors that was made of those of each."""
    from deploy.packing.image.build import FOLDER
    from deploy.packing.registry.joined import publish_joined

    key = private_key(options.key)
    print(publish_joined(options.target, options.images, key, options.signed_by, FOLDER))
    return 0


def sign(options: argparse.Namespace) -> int:
    """Sign a model in the BentoML store."""
    from deploy.packing.store import model_folder

    folder, key = model_folder(options.model), private_key(options.key)
    file = write_signature(folder, key)
    print(f"signed    {options.model} by the key {fingerprint(key.public_key())[:16]}: {file}", file=sys.stderr)
    print(options.model)
    return 0


def verify(options: argparse.Namespace) -> int:
    """Verify the signature of a model, of the model in the archive of a bento, or of an image in a registry."""
    from deploy.packing.verification import ARCHIVES
    from deploy.packing.verification import verify as verified

    print(verified(options.what, options.key))
    if options.what.endswith(ARCHIVES):
        print("verified  the model alone; the code beside it is covered by the signature of an image", file=sys.stderr)
    return 0


def sbom(options: argparse.Namespace) -> int:
    """Write the bill of materials of a bento or an image."""
    from deploy.packing.image.build import FOLDER
    from deploy.packing.sbom import bento_sbom, image_sbom
    from deploy.packing.store import SERVICE

    service, _, version = options.what.partition(":")
    print(bento_sbom(version) if service == SERVICE else image_sbom(options.what, engine(options.engine), FOLDER))
    return 0


def _key(text: str) -> Path:
    """The path of a key that has to be given."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; name a file, KEY=key.pem (docs/shipping.md has how to make one)")
    return Path(text)


def _address(text: str) -> str:
    """An address of this machine."""
    try:
        return str(ipaddress.ip_address("127.0.0.1" if text == "localhost" else text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no address; give one such as 127.0.0.1 or 0.0.0.0") from None


def _path(text: str) -> Path | None:
    """A path, or none where a variable of make is empty."""
    return Path(text) if text else None


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
    made.add_argument(
        "--name", default="credit-scorer", help="of the image, without a version (default: credit-scorer)"
    )
    made.add_argument("--base", default="", help="the image to build from (default: python:3.11-slim)")
    made = command("push", push, "push an image to a registry, described, and signed if there is a key", engines)
    made.add_argument("image", help="its name, as `image` prints it")
    made.add_argument("--registry", required=True, help="host and path; plain HTTP for one on this machine")
    made.add_argument("--key", type=_path, help="the private key to sign with, PEM")
    made = command("describe-joined", describe_joined, "describe and sign an image for several processors")
    made.add_argument("target", help="its name in its registry")
    made.add_argument("images", nargs="+", help="the image of each processor, <registry>/<processor>/<name>:<version>")
    made.add_argument("--key", type=_key, required=True, help="the private key to sign with, PEM")
    made.add_argument("--signed-by", type=_path, help="the public key that the images have to be signed by, PEM")
    made = command("sign", sign, "sign a model in the BentoML store")
    made.add_argument("model", help="its tag, <name>:<version>")
    made.add_argument("--key", type=_key, required=True, help="the private key, PEM")
    made = command("verify", verify, "verify the signature of a model, of that in a bento, or of an image")
    made.add_argument("what", help="the tag of a model, the archive of a bento, or an image with its registry")
    made.add_argument("--key", type=_key, required=True, help="the public key, PEM")
    made = command("sbom", sbom, "list what is inside a bento or an image, as CycloneDX", engines)
    made.add_argument("what", help="the tag of a bento, or the name of an image")
    made = command("run", run, "run an image on this machine until it is stopped", engines)
    made.add_argument("image", help="its name, as `image` prints it")
    made.add_argument("--host", type=_address, default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    made.add_argument("--port", type=int, default=3000)
    made.add_argument("--grpc-port", type=int, default=3001)
    made.add_argument("--volume", default="", help="a volume, or a folder (default: credit-scorer, var/container)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
