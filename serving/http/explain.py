"""`POST /explain`: why an applicant, or a past decision, has its probability.

Owns the two bodies that the route takes, and whose turn it is: applicant by applicant and request by request, and few
requests may wait. Leaves what an explanation is to `models.explanation`, the process in which it is made to
`serving.explaining`, checking applicants to `models.request`, finding decisions to `serving.http.past_decisions`, and
the record of what was told to `serving.http.explanation_record`. An explanation decides nothing, so it is neither a row
of the decision log nor a prediction.
"""

import asyncio
from codecs import BOM_UTF8
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from configs.dataset import RESERVED
from configs.service import ServiceConfig
from models.application_ids import is_identifier
from models.artifact import Artifact
from models.errors import Detail, Rejected, Unready
from models.explanation import MAX_INPUTS, Explanation
from models.request import RequestDecoder, parse
from models.schema import MAX_ID_LENGTH
from models.validation import reject, shown
from monitoring.records.log_keys import LogKeys
from monitoring.records.lookup import PastDecision
from serving.calls import Caller, call_of, caller_of
from serving.error_responses import guarded
from serving.explaining import ExplainingProcess
from serving.http.body import read_body
from serving.http.explanation_record import ExplanationRecord
from serving.http.past_decisions import PastDecisions

T = TypeVar("T")
OTHER_MODEL = "other_model"  # error code: another version made the decision
TOO_WIDE = "too_many_inputs"  # error code: this model cannot be explained in bounded time
MAX_ID_BODY_BYTES = 4096  # bytes of a body that names a past decision, spaces included; longer ones bring applicants
ENVELOPE = 'the body must be {"applicants": [{...}, ...]} or {"application_id": "..."} and nothing else'


class ExplainEndpoint:
    """The route of one worker.

    Args:
        artifact: the model that is served.
        directory: where records lie.
        settings: of the service; its limits hold here too.
        keys: of the decision log.
    """

    def __init__(self, artifact: Artifact, directory: Path, settings: ServiceConfig, keys: LogKeys) -> None:
        self._artifact = artifact
        self._max_rows = settings.max_explained_rows
        self._max_body_bytes = settings.max_body_bytes
        self._timeout_s = settings.timeout_s
        self._decoder = RequestDecoder(artifact.schema, self._max_rows)
        self._waiting_rows = 0
        self._explainer: ExplainingProcess | None = None
        self._record: ExplanationRecord | None = None
        self._explaining = ThreadPoolExecutor(1, "explain")  # it waits for the process; it begins with the first job
        self._recording = ThreadPoolExecutor(1, "explanations")  # which may wait for the disk
        self._past = PastDecisions(directory, keys, self._timeout_s)

    def open(self, example: Struct, record: ExplanationRecord) -> None:
        """Begin to explain `example`, so that all is built when the first caller asks; return at once.

        Args:
            example: an applicant.
            record: of what callers are told.
        """
        self._record = record
        if len(self._artifact.schema.inputs) > MAX_INPUTS:
            return
        self._explainer = ExplainingProcess(self._artifact.folder)
        self._explaining.submit(self._explainer.explain, example)

    def close(self) -> None:
        """Stop; requests that wait are dropped."""
        self._explaining.shutdown(wait=False, cancel_futures=True)
        if self._explainer is not None:
            self._explainer.close()
        self._past.close()
        self._recording.shutdown()
        if self._record:
            self._record.close()

    def route(self) -> Route:
        """For Starlette."""
        return Route("/explain", guarded(self._answer), methods=["POST"])

    async def _answer(self, request: Request) -> Response:
        caller = caller_of(request.scope)
        async with asyncio.timeout(self._timeout_s):
            body = await read_body(request.scope, request.receive, self._max_body_bytes)
            explanations = await self._explain(body, caller)
            if self._record:
                await self._in(
                    self._recording, partial(self._record.write, explanations, call_of(request.scope, "http"))
                )
        return Response(msgspec.json.encode(explanations), media_type="application/json")

    async def _explain(self, body: bytes, caller: Caller) -> list[Explanation]:
        body = body.removeprefix(BOM_UTF8)
        inputs = len(self._artifact.schema.inputs)
        if inputs > MAX_INPUTS:
            message = f"a model of {inputs:,} inputs is not explained, as that would hold a core for minutes"
            raise Rejected(422, f"{message}; the limit is {MAX_INPUTS:,} inputs", TOO_WIDE)
        past = past_id(body)
        rows = [] if past is not None else self._applicants(body)
        taken = max(1, len(rows))
        if self._explainer is None or (self._waiting_rows and self._waiting_rows + taken > self._max_rows):
            raise Unready("too many explanations are waiting; try again")
        if caller.explanations:
            caller.explanations.spend(taken)
        self._waiting_rows += taken
        try:
            if past is not None:
                rows = [self._decided(await self._past.find(past, None if caller.reads_all else caller.name))]
            explain = self._explainer.explain
            # One after the other, so that requests take turns, and a caller who has gone is not worked for.
            return [await self._in(self._explaining, partial(explain, row)) for row in rows]
        finally:
            self._waiting_rows -= taken

    async def _in(self, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(thread, work)

    def _applicants(self, body: bytes) -> list[Struct]:
        try:
            return self._decoder.decode(body)
        except Rejected as error:
            if error.code == "invalid_envelope":
                raise Rejected(400, ENVELOPE, error.code) from None
            raise

    def _decided(self, found: PastDecision | None) -> Struct:
        """The applicant of a past decision, if the model served now is the one that decided it."""
        if found is None:
            raise Rejected(404, f"the decision log has no such {RESERVED}; it may have been erased")
        if found.model != self._artifact.tag:
            message = f"{found.model} decided this and {self._artifact.tag} is served; serve the former to explain it"
            raise Rejected(409, message, OTHER_MODEL)
        brought = {name: value for name, value in found.row.applicant.items() if value is not None}
        return msgspec.convert(brought, self._artifact.schema.row)


def past_id(body: bytes) -> str | None:
    """The `application_id` of a body that names a past decision; None for any other body.

    Raises:
        Rejected: the id is none.

    >>> past_id(b'{"application_id": "A-1001"}'), past_id(b'{"applicants": []}')
    ('A-1001', None)
    """
    if len(body) > MAX_ID_BODY_BYTES or b'"applicants"' in body:
        return None
    envelope = parse(body)
    if not isinstance(envelope, dict) or set(envelope) != {RESERVED} or getattr(envelope, "doubled", []):
        return None
    value: Any = envelope[RESERVED]
    if is_identifier(value):
        return str(value)
    message = f"must be text of 1 to {MAX_ID_LENGTH} characters"
    return reject([Detail(row=None, field=RESERVED, value=shown(value), message=message)])
