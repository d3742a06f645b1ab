"""The messages of the Open Inference Protocol over gRPC, as `inference.proto` has them.

Owns reading the compiled file, into a pool of its own: every client library of this protocol defines messages of the
same names, and a protobuf pool holds only one of each name.
"""

from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from configs.source import ConfigError

COMPILED = Path(__file__).with_name("inference.binpb")
SERVICE = "inference.GRPCInferenceService"


class Messages:
    """Message classes by name, as `messages["ModelInferRequest"]`.

    Attributes:
        pool: their descriptors, for reflection.
        calls: for each call of the service, the names of its request and response.
    """

    def __init__(self, path: Path = COMPILED) -> None:
        try:
            files = FileDescriptorSet.FromString(path.read_bytes())
        except FileNotFoundError:
            raise ConfigError(path, "", "no such file", "run: make environment") from None
        self.pool = DescriptorPool()
        for file in files.file:
            self.pool.Add(file)
        methods = self.pool.FindServiceByName(SERVICE).methods
        self.calls = {method.name: (method.input_type.name, method.output_type.name) for method in methods}
        names = {name for call in self.calls.values() for name in call}
        package = SERVICE.rpartition(".")[0]
        self._classes = {name: GetMessageClass(self.pool.FindMessageTypeByName(f"{package}.{name}")) for name in names}

    def __getitem__(self, name: str) -> Any:
        """The class of a request or response."""
        return self._classes[name]
