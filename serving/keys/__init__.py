"""Who may call: the keys, their permissions and rates (`gatekeeper`), and the command that makes and revokes them."""

from serving.keys.gatekeeper import Barred, Gatekeeper

__all__ = ["Barred", "Gatekeeper"]
