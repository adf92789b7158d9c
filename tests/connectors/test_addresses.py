"""Which addresses the hub calls: all that look harmless and are not."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.connectors.addresses import Refused, check, place, resolve_host

PUBLIC = "93.184.216.34"
PUBLIC_6 = "2606:2800:220:1:248:1893:25c8:1946"


def resolving(*addresses: str):
    return lambda host, timeout: list(addresses)


def refusal(url: str, *allowed: str, resolve=None) -> str:
    with pytest.raises(Refused) as caught:
        check(url, allowed, resolve=resolve or resolving(PUBLIC))
    assert caught.value.detail.endswith(".")
    return caught.value.code


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "100.127.255.255", "100.100.100.200", "192.0.0.192", "198.18.0.1", "224.0.0.1",
        "239.255.255.255", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "192.88.99.1",
        "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[::127.0.0.1]",
        "[64:ff9b::a9fe:a9fe]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::]",
        "[2001::1]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[2001:db8::1]", "[100::1]", "[5f00::1]",
        "[3fff::1]",
    ],
)  # fmt: skip
def test_an_address_that_is_not_of_the_public_internet(host: str):
    assert refusal(f"https://{host}/") == "closed_address"
    assert refusal(f"http://{host}:80/x") == "closed_address"


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f.1", "0x7f000001", "017700000001", "127.1", "0177.0.0.1", "1", "127.0.0.1.0x"]
)
def test_a_number_that_a_resolver_would_take_for_an_address(host: str):
    assert refusal(f"https://{host}/") == "bad_host"
    assert refusal(f"https://{host}/", "127.0.0.1", "127.0.0.0/8", host) == "bad_host"


@pytest.mark.parametrize("host", ["①②⑦.⓪.⓪.①", "127。0。0。1", "127.0.0.1."])
def test_digits_in_disguise_are_seen_through(host: str):
    assert refusal(f"https://{host}/") == "closed_address"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://example.org/", "bad_scheme"),
        ("file:///etc/passwd", "bad_scheme"),
        ("gopher://example.org/", "bad_scheme"),
        ("unix:///run/x.sock", "bad_scheme"),
        ("//example.org/", "bad_scheme"),
        ("example.org", "bad_scheme"),
        ("", "bad_scheme"),
        ("https://user@example.org/", "userinfo"),
        ("https://user:secret@example.org/", "userinfo"),
        ("https://example.org@127.0.0.1/", "userinfo"),
        ("https://127.0.0.1\\@example.org/", "bad_url"),
        ("https://exam\tple.org/", "bad_url"),
        ("https://example.org\n/", "bad_url"),
        ("https://example.org\x00/", "bad_url"),
        (" https://example.org/", "bad_url"),
        ("https://[::1", "bad_url"),
        ("https://example.org:0/", "bad_url"),
        ("https://example.org:99999/", "bad_url"),
        ("https://example.org:http/", "bad_url"),
        ("https:///path", "bad_host"),
        ("https://[fe80::1%25eth0]/", "bad_host"),
        ("https://exa_mple..org/", "bad_host"),
        ("https://-example.org/", "bad_host"),
        (f"https://{'a' * 64}.org/", "bad_host"),
        ("https://example.org:8443/", "closed_port"),
        ("https://example.org:22/", "closed_port"),
        (f"http://{PUBLIC}:6379/", "closed_port"),
    ],
)
def test_what_no_address_of_a_target_looks_like(url: str, code: str):
    assert refusal(url) == code


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",), (PUBLIC, "127.0.0.1"), ("10.0.0.1", PUBLIC), (PUBLIC, PUBLIC_6, "::1"), ("169.254.169.254",),
        ("::ffff:10.0.0.1",), ("64:ff9b::a00:1",), ("fe80::1%eth0",),
    ],
    ids=",".join,
)  # fmt: skip
def test_every_address_of_a_name_is_looked_at(addresses):
    """Also those of 10.0.0.1.nip.io, of metadata.google.internal, and of a name with two answers."""
    assert refusal("https://crm.example.org/", resolve=resolving(*addresses)) == "closed_address"


def test_an_open_name_is_resolved_once_and_its_addresses_are_what_is_called():
    asked = []

    def rebinding(host: str, timeout: float):
        asked.append(host)
        return [PUBLIC, PUBLIC_6] if len(asked) == 1 else ["127.0.0.1"]

    target = check("https://CRM.Example.org./x?y", (), resolve=rebinding)
    assert (target.place.host, target.place.port, target.addresses) == ("crm.example.org", 443, (PUBLIC, PUBLIC_6))
    assert asked == ["crm.example.org"]


def failing(error: Exception):
    def resolve(host: str, timeout: float):
        raise error

    return resolve


@pytest.mark.parametrize(
    "resolve",
    [
        failing(socket.gaierror(-2, "Name or service not known")),
        failing(socket.gaierror(-3, "Temporary failure")),
        failing(TimeoutError("slow")),
        failing(ValueError("embedded null")),
        resolving(),
        resolving("not an address"),
    ],
    ids=["unknown", "temporary", "slow", "broken", "empty", "nonsense"],
)
def test_an_error_of_dns_opens_nothing(resolve):
    assert refusal("https://crm.example.org/", resolve=resolve) == "dns"
    assert refusal("https://crm.example.org/", "crm.example.org", resolve=resolve) == "dns"


def test_a_name_that_nobody_has_is_refused_by_the_real_resolver():
    assert refusal("https://no-such-host.invalid/", resolve=resolve_host) == "dns"
    assert refusal("https://localhost/", resolve=resolve_host) == "closed_address"


def test_an_allowed_name_opens_itself_alone():
    inside = resolving("10.1.2.3")
    assert check("https://erp.intern:8443/", ["erp.intern"], resolve=inside).addresses == ("10.1.2.3",)
    assert check("http://ERP.intern./", ["Erp.Intern."], resolve=inside).place.host == "erp.intern"
    for other in ("crm.intern", "erp.intern.example.org", "x.erp.intern", "intern"):
        assert refusal(f"https://{other}/", "erp.intern", resolve=inside) == "closed_address"
    assert refusal("https://10.1.2.3/", "erp.intern") == "closed_address"


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "0.0.0.0", "224.0.0.1", "::ffff:10.1.2.3", "64:ff9b::1", "fd00:ec2::254"]
)
def test_an_allowed_name_does_not_lead_to_metadata_or_disguises(address: str):
    assert refusal("https://erp.intern/", "erp.intern", resolve=resolving(address)) == "closed_address"
    assert refusal("https://erp.intern/", "erp.intern", resolve=resolving("10.1.2.3", address)) == "closed_address"


def test_an_allowed_address_or_network_opens_itself_alone():
    assert check("http://127.0.0.1:8101/", ["127.0.0.1"]).addresses == ("127.0.0.1",)
    assert check("http://[::1]:8101/", ["[::1]"]).addresses == ("::1",)
    assert check("https://erp.intern/", ["10.1.0.0/16"], resolve=resolving("10.1.2.3")).addresses == ("10.1.2.3",)
    assert refusal("http://127.0.0.2:8101/", "127.0.0.1") == "closed_address"
    assert refusal("http://10.0.0.1/", "127.0.0.1") == "closed_address"
    assert refusal("http://10.2.0.1/", "10.1.0.0/16") == "closed_address"
    assert refusal("https://erp.intern/", "10.1.0.0/16", resolve=resolving("10.1.2.3", "10.2.0.1")) == "closed_address"
    assert refusal("http://[::ffff:127.0.0.1]/", "127.0.0.1") == "closed_address"
    assert refusal(f"http://{PUBLIC}:8080/", "127.0.0.1") == "closed_port"


def test_a_public_host_needs_no_permission():
    assert check(f"https://{PUBLIC}/", ()).place.port == 443
    assert check(f"http://[{PUBLIC_6}]/", ()).addresses == (PUBLIC_6,)
    assert check("https://bücher.example/", (), resolve=resolving(PUBLIC)).place.host == "xn--bcher-kva.example"


@given(st.ip_addresses())
def test_nothing_that_is_not_global_is_ever_open(address):
    host = f"[{address}]" if address.version == 6 else str(address)
    try:
        check(f"https://{host}/", ())
    except Refused:
        return
    assert address.is_global and not address.is_multicast and not address.is_reserved


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str):
    for url in (text, f"https://{text}", f"https://example.org{text}"):
        try:
            where = place(url)
        except Refused:
            continue
        assert where.host and where.host.isascii() and where.scheme in ("http", "https") and 0 < where.port < 65536
