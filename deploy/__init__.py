"""From a bento to a running service: rollouts behind HAProxy, and the files for other platforms."""
