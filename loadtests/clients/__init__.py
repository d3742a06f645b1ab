"""The users of locust, one module per way of sending. Only locust's processes import these: gevent patches sockets."""
