"""Who decides about a champion: the name, the reason, and the key that proves the name where approvers have keys.

Owns the check. Leaves the record of what was decided to `train.registry` and `train.publishing.promotions`. A name
alone is what somebody typed; with keys in `configs/gates.yaml`, an entry of the history is signed by who it names.
"""

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from signatures.keys import fingerprint, public_key
from train.errors import PipelineError
from train.publishing.promotions import Approvers, SigningKey

GATES_FILE = "configs/gates.yaml"


@dataclass(frozen=True)
class Decision:
    """Who decides, why, and the key that proves it; None where no approver has one."""

    by: str
    why: str
    key: SigningKey = None


def decision(by: str, why: str, approvers: Approvers, key: SigningKey) -> Decision:
    """A decision by somebody who may decide; raises for anybody else.

    Args:
        by: the name given; empty for that of the key, or else the user of this process.
        why: the reason.
        approvers: of the gates; anybody may decide where there are none.
        key: the private key of who decides.
    """
    if not isinstance(approvers, Mapping):
        by = by or _current_user()
        if approvers and by not in approvers:
            raise _no_approver(by, approvers)
        return Decision(by, why)
    by = by or (_owner(approvers, key) if key else _current_user())
    if by not in approvers:
        raise _no_approver(by, approvers)
    if key is None:
        raise PipelineError(f"{by} has to prove it: give the private half of {approvers[by]} by --approver-key KEY")
    if _owner({by: approvers[by]}, key) != by:
        raise PipelineError(
            f"the key given is not that of {by}, whose public key is {approvers[by]} ({GATES_FILE}); give its private "
            "half by --approver-key KEY"
        )
    return Decision(by, why, key)


def _owner(approvers: Mapping[str, str], key: SigningKey) -> str:
    """The approver whose key it is; empty if it is nobody's."""
    own = fingerprint(key.public_key()) if key else ""
    return next((name for name, path in approvers.items() if fingerprint(public_key(Path(path))) == own), "")


def _no_approver(by: str, approvers: Approvers) -> PipelineError:
    named = ", ".join(approvers)
    return PipelineError(f"{by or 'nobody'} is not an approver; --by must be one of: {named} ({GATES_FILE})")


def _current_user() -> str:
    """The user who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
