"""Which network addresses an image may be downloaded from.

Whoever can put a URL into a message could otherwise make this machine ask its own services, its neighbours,
or the metadata service that hands a cloud machine's credentials to whoever asks from inside. So only
addresses of the public internet pass, and an address that carries another inside is judged by that one or,
where no public server uses the form, refused.

The ranges are those of IANA's special-purpose address registries (RFC 6890) that are not globally reachable,
and the fixed addresses of cloud metadata services. They are written out because `ipaddress.is_global`
differs between versions of Python and lets several of them pass.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final, TypeAlias

__all__ = ["Address", "literal_address", "why_refused"]

Address: TypeAlias = IPv4Address | IPv6Address

_Ranges: TypeAlias = tuple[tuple[IPv4Network | IPv6Network, str], ...]


def _ranges(table: dict[str, str]) -> _Ranges:
    return tuple((ip_network(block), what) for blocks, what in table.items() for block in blocks.split())


_NEVER: Final = _ranges(
    {
        # Azure's wire server and Alibaba's are in no special range, the others in private ones.
        "168.63.129.16 100.100.100.200": "a cloud's metadata service",
        "fd00:ec2::/32 fd20:ce::254 fd00:c1::a9fe:a9fe": "a cloud's metadata service",
        "fd00:42::42 fd00:a9fe:a9fe::1 fd00:100::100:200": "a cloud's metadata service",
        "0.0.0.0/8 ::": "an unspecified address",
        "169.254.0.0/16 fe80::/10": "link-local, where cloud metadata services are",
        "192.0.0.0/24 2001::/23": "reserved for protocols (among them Teredo and benchmarks)",
        "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20": "reserved for documentation",
        "192.88.99.0/24 2002::/16": "a 6to4 relay or tunnel",
        "192.31.196.0/24 192.175.48.0/24 2620:4f:8000::/48": "reserved for name servers (AS112)",
        "192.52.193.0/24": "reserved for multicast tunnels",
        "198.18.0.0/15": "reserved for benchmarks",
        "224.0.0.0/4 ff00::/8": "multicast",
        "240.0.0.0/4": "reserved or broadcast",
    }
)
_PRIVATE: Final = _ranges(
    {
        "127.0.0.0/8 ::1": "this machine (loopback)",
        "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7": "in a private network",
        "100.64.0.0/10": "in a carrier's or overlay network",
    }
)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
# Of the translator's two prefixes only the well-known one (RFC 6052) says where its IPv4 address stands.
_MAPPED_OR_TRANSLATED: Final = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
# The upper half of an ISATAP interface identifier (RFC 5214), without the bit that says how unique it is.
_ISATAP: Final = 0x00005EFE
_ISATAP_UNIQUE: Final = 0x02000000

_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


def literal_address(host: str) -> Address | None:
    """The address that a URL's host is, or None where it is a name.

    A host whose last part is a number is an address to resolvers and browsers (WHATWG URL, "ends in a
    number"), in octal, in hexadecimal and with parts left out too. Only the usual notation is taken.

    Args:
        host: in lower case and ASCII, an IPv6 address without brackets.

    Raises:
        ValueError: an address in another notation than the usual one.
    """
    if ":" in host:
        return IPv6Address(host)
    last = host.removesuffix(".").rpartition(".")[2]
    return IPv4Address(host) if _NUMBER.fullmatch(last) else None


def why_refused(address: Address, *, allow_private: bool = False) -> str | None:
    """What `address` is that it may not be dialled, as in "multicast"; None where it may.

    Args:
        address: one that a name resolved to, or that stood in a URL.
        allow_private: let this machine and private networks pass. Link-local addresses and metadata services
            never do.
    """
    if unusual := _unusual(address):
        return unusual
    if any(address in prefix for prefix in _MAPPED_OR_TRANSLATED):
        address = IPv4Address(int(address) & 0xFFFF_FFFF)
    if never := _kind(address, _NEVER):
        return never
    if private := _kind(address, _PRIVATE):
        return None if allow_private else private
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return "no address of the public internet"
    return None


def _unusual(address: Address) -> str | None:
    if isinstance(address, IPv4Address):
        return None
    if address.scope_id is not None:
        return "bound to one network interface"
    return "an ISATAP tunnel" if (int(address) >> 32) & ~_ISATAP_UNIQUE & 0xFFFF_FFFF == _ISATAP else None


def _kind(address: Address, ranges: _Ranges) -> str | None:
    return next((what for block, what in ranges if address in block), None)
