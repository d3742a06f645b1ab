"""The messages of the Open Inference Protocol over gRPC, as `inference.proto` has them.

Owns reading the compiled file. It has a pool of its own: every client library of this protocol brings messages of the
same names, and protobuf lets a process have only one of each name in a pool.
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
        pool: where their descriptors are, for reflection.
        calls: for each call of the service, the names of what it takes and gives.
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
        """The class of one message that a call takes or gives."""
        return self._classes[name]
