"""Blue-green and canary rollouts: two instances of a bento behind one HAProxy, driven through its runtime socket.

Whatever an instance is, it is asked over HTTP alone: `/readyz`, `/model`, `/predict`, `/metrics`.
"""
