"""The history of a model's champions: a file beside its versions, to which each promotion is appended.

Owns what a promotion is and checking that the champion's is the newest. Leaves the file and its chain to
`signatures.chain`, who may promote to `train.registry`, and who is the champion to `models.champion`, whose file has to
agree with the newest entry. Entries cut off at the end leave a history that is whole; `python -m train history`
compares it with MLflow's record.
"""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from signatures.chain import Chain, Linked
from signatures.dsse import Envelope
from signatures.keys import SignatureError, public_key

FILE = "champion.history"
_PROMOTE = "promote it again with the key: python -m train promote {version} --signing-key KEY --why REASON"


class Promotion(Linked, frozen=True, kw_only=True):
    """One entry, without its subject.

    Attributes:
        at: ISO 8601, UTC.
        instead_of: the champion before; empty if there was none.
        evidence: the run and the verdicts of its gates.
    """

    action: str
    instead_of: str
    by: str
    why: str
    at: str
    evidence: str


CHAIN = Chain(
    name=FILE,
    kind="urn:credit-scorer:promotion:1",
    noun="a promotion",
    remedy="restore the file from a backup, or move it away and promote the champion again",
    type_=Promotion,
)


class Entry(Struct, frozen=True):
    """A promotion as it was read: its version, the SHA-256 of its graph, and the signatures."""

    version: str
    model_sha256: str
    promotion: Promotion
    line: Envelope

    @property
    def is_signed(self) -> bool:
        """Whether somebody has signed it; by which key is for `check` to say."""
        return bool(self.line.signatures)


def append(
    versions: Path, version: str, model_sha256: str, promotion: Promotion, *keys: ec.EllipticCurvePrivateKey | None
) -> None:
    """Append an entry, synced; `versions` is the folder of the versions, and `previous` is set here.

    It is signed by each of the keys: that of the store, and that of who decided.

    Raises:
        SignatureError: the history is broken, and would stay so.
        OSError: the disk is full; the history is as it was.
    """
    CHAIN.append(versions, version, model_sha256, promotion, *keys)


def read(versions: Path) -> list[Entry]:
    """Every entry, oldest first; none without the file.

    Raises:
        SignatureError: the chain is broken; the message names file and line.
    """
    return [Entry(found.subject, found.sha256, found.stated, found.line) for found in CHAIN.read(versions)]


def check(versions: Path, champion: str, model_sha256: str, signed_by: Path | None) -> None:
    """Raise `SignatureError` unless the newest entry is the champion's.

    Args:
        versions: the folder of the versions.
        champion: the version that is about to be served as such.
        model_sha256: of its graph.
        signed_by: a public key; if given, there has to be a history, and its newest entry has to be signed by that key.
    """
    file, entries = versions / FILE, read(versions)
    remedy = _PROMOTE.format(version=champion)
    if not entries:
        if signed_by:
            raise SignatureError(f"the promotion of {versions.name}:{champion} is not signed (no {file}); {remedy}")
        return
    newest = entries[-1]
    if signed_by and not newest.line.is_signed_by(public_key(signed_by)):
        raise SignatureError(f"{file}: its newest entry is not signed by the key {signed_by}; {remedy}")
    if newest.version != champion:
        raise SignatureError(
            f"{file}: promotes {newest.version} last, and the champion is {champion} by {versions / 'champion'}; write "
            f"{newest.version} there, or {remedy}"
        )
    if newest.model_sha256 != model_sha256:
        raise SignatureError(
            f"{file}: promotes another {versions.name}:{champion}, whose graph has SHA-256 {newest.model_sha256[:16]}… "
            f"and not {model_sha256[:16]}…; restore it, or {remedy}"
        )
