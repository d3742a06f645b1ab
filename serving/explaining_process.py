"""`python -m serving.explaining_process`: explains the applicants that a worker sends.

Owns: input, output and priority of this process. Leaves to others: explanations (`models.explanation`), and starting
and ending it (explaining).

It ends with its standard input. It ignores the stop signals, which BentoML sends to every process below a worker while
the worker still answers.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from configs.opt_outs import opt_out
from monitoring.profiles.priority import run_behind
from monitoring.profiles.stopping import block_signals

# A tenth of a core while the worker and others keep all cores busy, and a whole one otherwise. At 19 it is a hundredth,
# and a request of 100 applicants takes longer than `timeout_s`.
NICENESS = 10


def main() -> int:
    """Explain each line of standard input; return the exit code."""
    block_signals()
    run_behind(NICENESS)
    opt_out(os.environ)
    output = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what else prints must not be read as an answer
    answer = answers(Path(json.loads(sys.stdin.buffer.readline() or b'""')))
    with suppress(BrokenPipeError):  # the worker has gone
        for line in sys.stdin.buffer:
            output.write(answer(line) + b"\n")
    return 0


def answers(folder: Path) -> Callable[[bytes], bytes]:
    """The function from an applicant, as JSON, to `explaining.Answer`, as JSON."""
    import msgspec  # these take a second, in which the priority holds already

    from models.artifact import Artifact
    from models.explanation import Explainer

    artifact = Artifact(folder, retrain="make train")
    explainer = Explainer(artifact.schema, artifact.scorer().probabilities, artifact.background, artifact.tag)
    decode = msgspec.json.Decoder(artifact.schema.row).decode

    def answer(line: bytes) -> bytes:
        try:
            return msgspec.json.encode({"explanation": explainer.explain(decode(line))})
        except Exception:  # noqa: BLE001 - the worker reports it
            return msgspec.json.encode({"traceback": traceback.format_exc()})

    return answer


if __name__ == "__main__":
    sys.exit(main())
