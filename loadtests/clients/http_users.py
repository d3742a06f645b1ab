"""Users over HTTP: `/predict` for one applicant and for many, V2 inference, `/explain`."""

from collections.abc import Callable

import msgspec
from locust import FastHttpUser, task

from loadtests.clients.sending import PATIENCE_S, Asking, Lost, key_header
from loadtests.mix import CLASSES
from loadtests.payloads import bodies


class HttpUser(Asking, FastHttpUser):  # type: ignore[misc] # locust is not installed where types are checked
    """A client over HTTP, with a connection of its own."""

    abstract = True
    insecure = False
    network_timeout = connection_timeout = PATIENCE_S

    def on_start(self) -> None:
        """Called by locust."""
        self.begin()
        self.headers = {"content-type": "application/json"} | key_header()

    def post(self, path: str, body: bytes, is_right: Callable[[bytes], bool]) -> str | None:
        """Post a body; as `Asking.book` wants it."""
        answer = self.client.post(path, data=body, headers=self.headers, name=self.kind)
        if answer.status_code == 0:
            raise Lost(f"{type(answer.error).__name__}: {answer.error}")
        content = answer.content or b""
        if answer.status_code != 200:
            return f"{answer.status_code} {_message(content)}"
        if not is_right(content):
            raise Lost("200 with an answer about somebody else")
        return None


def _message(content: bytes) -> str:
    """The message of an error, in either of its shapes."""
    try:
        error = msgspec.json.decode(content)["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (msgspec.DecodeError, LookupError, TypeError):
        return content[:80].decode("utf-8", "replace")


class SingleUser(HttpUser):
    """`POST /predict` with one applicant."""

    kind, weight = "single", CLASSES["single"].weight

    @task
    def predict(self) -> None:
        """One request."""
        self.book(lambda them: self.post("/predict", bodies.envelope(them), lambda one: bodies.is_about(one, them)))


class BatchUser(SingleUser):
    """`POST /predict` with many applicants."""

    kind, weight = "batch", CLASSES["batch"].weight


class V2User(HttpUser):
    """Open Inference over REST."""

    kind, weight = "v2", CLASSES["v2"].weight

    @task
    def infer(self) -> None:
        """One request."""
        path = f"/v2/models/{self.model}/infer"
        self.book(
            lambda them: self.post(path, bodies.tensors(them[0]), lambda one: bodies.is_inference_about(one, them[0]))
        )


class ExplainUser(HttpUser):
    """`POST /explain` with one applicant."""

    kind, weight = "explain", CLASSES["explain"].weight

    @task
    def explain(self) -> None:
        """One request."""
        self.book(lambda them: self.post("/explain", bodies.envelope(them), lambda one: bodies.is_about(one, them)))
