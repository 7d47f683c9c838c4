"""What counts as one client: a network that one household or office has to itself."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

__all__ = ["client_network"]

SUBNET_BITS: Final = 64
"""The part of an IPv6 address that a provider gives; the rest is its owner's to choose (RFC 4291, RFC 6177)."""


@lru_cache(4096)
def client_network(host: str) -> str:
    """The network of an address: IPv4 whole, IPv6 by its /64, an IPv4 address written as IPv6 as what it is.

    Whatever is no address, which only a trusted proxy can say, stands for itself.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return f"{IPv6Address(int(address) >> SUBNET_BITS << SUBNET_BITS)}/{SUBNET_BITS}"
        address = IPv4Address(address.ipv4_mapped)
    return str(address)
