"""The signature of an image: cosign's `simple signing` payload, which names a manifest by digest, and its signature.

Owns the payload. Leaves keys to `signatures.keys`, and putting it beside the image to `deploy.packing`.
"""

from typing import Any

import msgspec

from signatures.keys import SignatureError

KIND = "cosign container image signature"


def payload(reference: str, digest: str) -> bytes:
    """What is signed for the image of that manifest digest (`sha256:…`), known under that reference.

    >>> payload("registry/scorer", "sha256:00")[:60]
    b'{"critical":{"identity":{"docker-reference":"registry/scorer'
    """
    critical = {
        "identity": {"docker-reference": reference},
        "image": {"docker-manifest-digest": digest},
        "type": KIND,
    }
    return msgspec.json.encode({"critical": critical, "optional": None})


def signed_digest(content: bytes) -> str:
    """The manifest digest that a payload names."""
    try:
        critical: dict[str, Any] = msgspec.json.decode(content, type=dict[str, Any])["critical"]
        digest = str(critical["image"]["docker-manifest-digest"])
        kind = critical["type"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise SignatureError("is not the payload of an image's signature; sign the image again") from None
    if kind != KIND:
        raise SignatureError(f"signs another kind of thing ({kind}); sign the image again")
    return digest
