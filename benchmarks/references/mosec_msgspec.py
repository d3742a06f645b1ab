"""mosec with msgspec: its Rust front end forms batches, one Python process validates, scores and encodes them.

`python -m benchmarks.references.mosec_msgspec --address 127.0.0.1 --port 8000`. Batches of 64 and the shortest wait
that mosec accepts, 1 ms: batches of 32 or 128 and waits of 2 or 5 ms were not clearly faster at 64 connections, and a
single request waits the full time.
"""

from typing import Any

import mosec
import msgspec

from benchmarks.references.model import Model
from benchmarks.references.rows import msgspec_row

MAX_BATCH, MAX_WAIT_MS = 64, 1


class Predict(mosec.Worker):  # type: ignore[misc]  # mosec ships no types
    """A single stage."""

    def __init__(self) -> None:
        super().__init__()
        self._model = Model.from_environment()
        row = msgspec_row(self._model.dataset)
        envelope: Any = msgspec.defstruct(
            "Envelope",
            [("applicants", list[row])],  # type: ignore[valid-type]  # made at run time
            forbid_unknown_fields=True,
        )
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(envelope)
        self._encoder = msgspec.json.Encoder()

    def deserialize(self, data: bytes) -> Any:
        """The rows of one request."""
        try:
            return self._decoder.decode(data).applicants
        except msgspec.DecodeError as error:
            raise mosec.ValidationError(error) from error

    def forward(self, data: list[Any]) -> list[Any]:
        """The responses to a batch of requests, scored together."""
        answers = iter(self._model.predict([row for rows in data for row in rows]))
        return [[next(answers) for _ in rows] for rows in data]

    def serialize(self, data: Any) -> bytes:
        """The body of one response."""
        return self._encoder.encode(data)


if __name__ == "__main__":
    server = mosec.Server()
    server.append_worker(Predict, num=1, max_batch_size=MAX_BATCH, max_wait_time=MAX_WAIT_MS, route="/predict")
    server.run()
