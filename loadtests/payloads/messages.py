"""Messages of V2 inference over gRPC, of the compiled protocol that the service reads as well.

The file is read, and no module of the service: its descriptors go into a pool of their own.
"""

import struct
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from loadtests.payloads.applicants import Applicant
from loadtests.payloads.bodies import datatype
from loadtests.problems import LoadTestError

COMPILED = Path(__file__).parents[2] / "serving/v2/inference.binpb"
CALL = "/inference.GRPCInferenceService/ModelInfer"
LAYOUTS = {"INT64": "<q", "FP64": "<d"}


class Messages:
    """Makes requests and reads responses.

    Args:
        path: the compiled protocol.
    """

    def __init__(self, path: Path = COMPILED) -> None:
        try:
            files = FileDescriptorSet.FromString(path.read_bytes())
        except FileNotFoundError:
            raise LoadTestError(f"{path}: no such file; run: make environment") from None
        pool = DescriptorPool()
        for file in files.file:
            pool.Add(file)
        self._request: Any = GetMessageClass(pool.FindMessageTypeByName("inference.ModelInferRequest"))
        self._response: Any = GetMessageClass(pool.FindMessageTypeByName("inference.ModelInferResponse"))

    def request(self, model: str, applicant: Applicant) -> bytes:
        """One applicant with raw contents, as Triton's client sends it; a null is left out."""
        request = self._request(model_name=model)
        for name, value in applicant.items():
            if value is None:
                continue
            kind = datatype(value)
            request.inputs.add(name=name, datatype=kind, shape=[1])
            if kind == "BYTES":
                encoded = value.encode()
                request.raw_input_contents.append(struct.pack("<I", len(encoded)) + encoded)
            else:
                request.raw_input_contents.append(struct.pack(LAYOUTS[kind], value))
        encoded_request: bytes = request.SerializeToString()
        return encoded_request

    def is_about(self, answer: bytes, applicant: Applicant) -> bool:
        """Whether a response is about this applicant."""
        response = self._response.FromString(answer)
        wanted = applicant["application_id"].encode()
        contents = zip(response.outputs, response.raw_output_contents, strict=False)
        return any(output.name == "application_id" and raw[4:] == wanted for output, raw in contents)
