"""Which addresses the hub may call: a connection's address is written by a person, so it is checked before every connect.

The name is resolved once, every address it has is checked, and the caller connects to a checked address and to no other, so an
answer that changes between check and connect (rebinding) changes nothing. The public internet is open on ports 80 and 443;
everything else only as far as the administrator allows it by name, address or network."""

import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, float], Sequence[str]]

PORTS: Final = {"http": 80, "https": 443}
_CLOSED: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            # IANA special-purpose registries: nothing here is a host of the public internet.
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
            "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
            "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            # Of IPv6 only 2000::/3 is handed out; inside it, what carries an IPv4 address or is kept for other ends.
            "::/3", "4000::/2", "8000::/1", "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
        ),
    )
)  # fmt: skip
_NEVER_BY_NAME: Final = tuple(
    map(
        ipaddress.ip_network,
        # Metadata services, broadcasts and disguises of IPv4: an allowed name does not open them, only the address itself.
        ("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "::/128", "::ffff:0:0/96", "64:ff9b::/32",
         "2002::/16", "2001::/32", "fd00:ec2::254/128", "fe80::/10", "ff00::/8"),
    )
)  # fmt: skip
_HOST: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*", re.ASCII)
_NUMBER: Final = re.compile(r"0x[0-9a-f]*|[0-9]+", re.ASCII)


class Refused(Exception):
    """An address the hub does not call; `code` is a stable word, `detail` a sentence. `dns` means the name has no address."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Place:
    """Where a URL leads, by its text alone; `host` in ASCII, lower case, without brackets."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Target:
    """A checked place: connect to one of `addresses`, name the host as `place.host`."""

    place: Place
    addresses: tuple[str, ...]


def check(url: str, allowed: Collection[str], *, resolve: Resolve | None = None, timeout: float = 5.0) -> Target:
    """The place a URL leads to and the addresses that may be called for it. Raises Refused; an error of DNS refuses, too."""
    return reach(place(url), allowed, resolve=resolve, timeout=timeout)


def place(url: str) -> Place:
    """What a URL names, without asking anybody. Raises Refused for what no address of a target looks like."""
    if not url.isprintable() or "\\" in url or any(char.isspace() for char in url):
        raise Refused("bad_url", "The address has characters that no address has.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("bad_url", "The address cannot be read.") from None
    if parts.scheme not in PORTS:
        raise Refused("bad_scheme", "The address does not begin with https:// or http://.")
    if "@" in parts.netloc:
        raise Refused("userinfo", "The address holds a user or a password; those belong to the credentials.")
    if port == 0:
        raise Refused("bad_url", "Port 0 is no port.")
    return Place(parts.scheme, _host(parts.hostname or ""), port or PORTS[parts.scheme])


def reach(where: Place, allowed: Collection[str], *, resolve: Resolve | None = None, timeout: float = 5.0) -> Target:
    """The addresses of a place, each of them checked: one that is not allowed refuses them all. Raises Refused."""
    literal = _literal(where.host)
    found = [literal] if literal else _resolved(where.host, resolve or resolve_host, timeout)
    by_name = literal is None and where.host in {name.rstrip(".").casefold() for name in allowed}
    networks = _networks(allowed)
    for address in found:
        listed = any(address.version == network.version and address in network for network in networks)
        if not listed and not (by_name and not _within(address, _NEVER_BY_NAME)):
            if _within(address, _CLOSED):
                raise Refused("closed_address", f"{where.host} leads to {address}, which is not open to the hub.")
            if where.port not in PORTS.values():
                raise Refused("closed_port", f"Port {where.port} of {where.host} is not open to the hub.")
    return Target(where, tuple(map(str, found)))


def resolve_host(host: str, timeout: float) -> Sequence[str]:
    """The addresses of a name. Raises OSError; asking is given up after `timeout` seconds, as the resolver knows no limit."""
    found: list[str] = []
    failed: list[OSError] = []

    def ask() -> None:
        try:
            entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            found.extend(dict.fromkeys(str(entry[4][0]) for entry in entries))
        except (OSError, UnicodeError) as error:
            failed.append(error if isinstance(error, OSError) else OSError(str(error)))

    thread = threading.Thread(target=ask, name="resolve", daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        raise TimeoutError(f"No answer from DNS within {timeout:g} s.")
    if failed:
        raise failed[0]
    return found


def _host(host: str) -> str:
    """A host as DNS and TLS name it. Raises Refused for what is neither a name nor an address in its usual form."""
    if ":" in host:
        if "%" in host or _literal(host) is None:
            raise Refused("bad_host", "The host is no address.")
        return str(ipaddress.ip_address(host))
    try:
        name = host.encode("idna").decode().casefold().removesuffix(".")
    except UnicodeError:
        raise Refused("bad_host", "The host is no name.") from None
    if not _HOST.fullmatch(name) or len(name) > 253:
        raise Refused("bad_host", "The host is no name.")
    if _NUMBER.fullmatch(name.rpartition(".")[2]) and _literal(name) is None:
        # 2130706433, 0x7f.1 and 017700000001 all mean 127.0.0.1 to a resolver.
        raise Refused("bad_host", "The host is a number, but not an address in its usual form.")
    return name


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _resolved(host: str, resolve: Resolve, timeout: float) -> list[Address]:
    try:
        found = [ipaddress.ip_address(text) for text in resolve(host, timeout)]
    except (OSError, ValueError) as error:
        raise Refused("dns", f"The name {host} cannot be resolved: {error}.") from error
    if not found:
        raise Refused("dns", f"The name {host} has no address.")
    return found


def _networks(allowed: Collection[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The entries that are addresses or networks; all others are names."""
    found = []
    for entry in allowed:
        try:
            found.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
        except ValueError:
            continue
    return found


def _within(address: Address, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
