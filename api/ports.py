"""TCP ports: which are free, and which is taken."""

import errno
import secrets
import socket

__all__ = ["free_port", "taken"]

LOOPBACK = "127.0.0.1"

# Below the ports that systems give to outgoing connections (from 32,768 on Linux). In that range a client that keeps
# trying to reach a server that is down gets connected to itself sooner or later, and the server's port is then taken.
RANGE = range(15_000, 32_000)


def free_port(preferred: int | None = None, host: str = LOOPBACK) -> int:
    """`preferred` when nothing listens there, else a free port taken at random, whatever `random` was seeded with."""
    if preferred and not taken(host, preferred):
        return preferred
    while taken(host, port := secrets.choice(RANGE)):
        pass
    return port


def taken(host: str, port: int) -> bool:
    """Whether another program has the port; OSError when `host` is no address of this machine or the port needs root."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise
    return False
