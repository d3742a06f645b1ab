"""Where findings are sent: the keys `action_*` of `configs/monitoring.yaml`, and secrets from the environment alone.

Owns: the destinations and their secrets. Leaves to others: what each is sent (messages), sending (delivery).
"""

import base64
import binascii
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct

from configs.monitoring import Monitoring
from configs.source import ConfigError

WEBHOOK_SECRET_VARIABLE = "SCORER_ACTION_WEBHOOK_SECRET"  # noqa: S105 - a name
SLACK_VARIABLE = "SCORER_ACTION_SLACK_URL"
GITHUB_TOKEN_VARIABLE = "SCORER_ACTION_GITHUB_TOKEN"  # noqa: S105 - a name
SECRETS = (WEBHOOK_SECRET_VARIABLE, SLACK_VARIABLE, GITHUB_TOKEN_VARIABLE)
PREFIX = "whsec_"
LEAST_SECRET_BYTES = 16
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


class Webhook(Struct, frozen=True):
    """Any program that takes JSON; with a secret the message is signed."""

    url: str
    secret: bytes = b""
    name: str = "webhook"


class Slack(Struct, frozen=True):
    """An incoming webhook of Slack, or of what takes the same, whose address is the secret."""

    url: str
    name: str = "slack"


class GitHub(Struct, frozen=True):
    """A repository whose workflows run `on: repository_dispatch`."""

    url: str
    token: str
    name: str = "github"


Destination = Webhook | Slack | GitHub


def destinations(settings: Monitoring, environment: Mapping[str, str]) -> list[Destination]:
    """The destinations that are configured.

    Raises:
        ConfigError: a secret is missing or is none, or a repository is not named as owner/name.
    """
    found: list[Destination] = []
    if settings.action_webhook_endpoint:
        secret = environment.get(WEBHOOK_SECRET_VARIABLE, "")
        found.append(Webhook(settings.action_webhook_endpoint, secret_bytes(secret) if secret else b""))
    if url := environment.get(SLACK_VARIABLE):
        if urlsplit(url).scheme not in ("http", "https"):
            raise ConfigError("environment", SLACK_VARIABLE, "is no URL", "give the address that Slack shows")
        found.append(Slack(url))
    if repository := settings.action_github_repository:
        if not REPOSITORY.fullmatch(repository):
            remedy = "name it as owner/name"
            raise ConfigError("configs/monitoring.yaml", "action_github_repository", f"is {repository!r}", remedy)
        token = environment.get(GITHUB_TOKEN_VARIABLE, "")
        if not token:
            remedy = "give a token that may write the contents of the repository"
            raise ConfigError("environment", GITHUB_TOKEN_VARIABLE, "is missing", remedy)
        found.append(GitHub(f"{settings.action_github_endpoint.rstrip('/')}/repos/{repository}/dispatches", token))
    return found


def secret_bytes(text: str) -> bytes:
    """The key in a secret of Standard Webhooks: base64, mostly after `whsec_`.

    >>> len(secret_bytes("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"))
    24
    """
    try:
        found = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        found = b""
    if len(found) < LEAST_SECRET_BYTES:
        remedy = f'make one: echo "{PREFIX}$(head -c 24 /dev/urandom | base64)"'
        raise ConfigError(
            "environment", WEBHOOK_SECRET_VARIABLE, f"is not base64 of {LEAST_SECRET_BYTES} bytes or more", remedy
        )
    return found
