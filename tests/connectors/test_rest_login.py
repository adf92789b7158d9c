"""How the REST adapter proves who it is, and how the target has to: tokens, headers, certificates."""

import base64
import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from apps.connectors import registry
from apps.connectors.contract import Op, Trouble, Write
from apps.connectors.documents import DocumentError
from tests.connectors.scripted import Asked, Said, Scripted, scripted

WRITE = Write(Op.CREATE, "key-1", "idem-1", "trace-1", {"name": "x"})
SECRETS = {
    "client_id": "hub+1",
    "client_secret": "s3cret/&",
    "username": "hüb",
    "password": "pass:word",
    "token": "tok-en-1",
}


@pytest.fixture
def far() -> Iterator[Scripted]:
    with scripted() as server:
        yield server


def made(far: Scripted, auth: dict[str, Any], credentials=SECRETS, **connection: Any):
    document = {
        "connection": {"adapter": "rest", "system": "x", "kind": "other", "base_url": far.url, **connection},
        "auth": auth,
        "record": {"id": "/id"},
        "operations": {
            "create": {"method": "POST", "path": "/c", "id": "/id"},
            "probe": {"method": "GET", "path": "/p"},
        },
    }
    assert registry.check(document) == []
    return registry.make("rest", document, credentials, ["127.0.0.1"])


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"kind": "bearer"}, "authorization", "Bearer tok-en-1"),
        ({"kind": "header", "name": "X-Api-Key"}, "x-api-key", "tok-en-1"),
        ({"kind": "basic"}, "authorization", "Basic " + base64.b64encode("hüb:pass:word".encode()).decode()),
        ({"kind": "none"}, "authorization", None),
        ({}, "authorization", None),
    ],
    ids=["bearer", "header", "basic", "none", "nothing"],
)
def test_fixed_headers(far: Scripted, auth, header, value):
    adapter = made(far, auth)
    answer = adapter.probe(timeout=5)
    adapter.close()
    assert (answer.trouble, far.asked[0].headers.get(header)) == (None, value)
    assert not [secret for secret in SECRETS.values() if secret in repr(answer)]


class Tokens:
    """A server of tokens and of data in one: a token is good until it is revoked."""

    def __init__(self, far: Scripted, **more: Any) -> None:
        self.given = 0
        self.revoked: set[str] = set()
        self.more = more
        self.far = far
        far.answer = self.answer

    def answer(self, asked: Asked) -> Said:
        if asked.path.startswith("/oauth/token"):
            self.given += 1
            return Said(200, {"access_token": f"token-{self.given}", "token_type": "bearer", **self.more})
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if not token.startswith("token-") or token in self.revoked:
            return Said(401, {})
        return Said(201, {"id": 1, "echo": token})


def oauth(far: Scripted, **auth: Any):
    return made(far, {"kind": "oauth2", "token_url": f"{far.url}/oauth/token?x=1", **auth})


def test_a_token_is_fetched_once_and_used_for_many_calls(far: Scripted):
    tokens = Tokens(far, expires_in=3600)
    adapter = oauth(far, scope="a b")
    answers = [adapter.write(WRITE, timeout=5) for _ in range(3)]
    assert [a.trouble for a in answers] == [None] * 3 and tokens.given == 1
    form = parse_qs(far.asked[0].body.decode())
    assert (far.asked[0].method, far.asked[0].path) == ("POST", "/oauth/token?x=1")
    assert form == {
        "grant_type": ["client_credentials"], "scope": ["a b"], "client_id": ["hub+1"], "client_secret": ["s3cret/&"],
    }  # fmt: skip
    assert "token-1" not in repr(answers) and "s3cret" not in repr(answers)
    adapter.close()


def test_the_secret_may_go_in_a_header(far: Scripted):
    Tokens(far)
    adapter = oauth(far, send="basic")
    assert adapter.probe(timeout=5).trouble is None
    assert far.asked[0].headers["authorization"] == "Basic " + base64.b64encode(b"hub%2B1:s3cret%2F%26").decode()
    assert b"s3cret" not in far.asked[0].body
    adapter.close()


def test_a_refused_token_is_renewed_once_and_the_call_is_made(far: Scripted):
    tokens = Tokens(far, expires_in=3600)
    adapter = oauth(far)
    assert adapter.write(WRITE, timeout=5).trouble is None
    tokens.revoked.add("token-1")
    assert adapter.write(WRITE, timeout=5).trouble is None
    assert tokens.given == 2
    tokens.revoked |= {f"token-{n}" for n in range(9)}
    before = len(far.asked)
    assert adapter.write(WRITE, timeout=5).trouble is Trouble.AUTH
    assert len(far.asked) - before == 3  # the call, a token, the call
    adapter.close()


def test_a_token_that_ends_is_renewed_before(far: Scripted):
    tokens = Tokens(far, expires_in=0)
    adapter = oauth(far)
    for _ in range(3):
        assert adapter.write(WRITE, timeout=5).trouble is None
    assert tokens.given == 3
    adapter.close()


def test_threads_fetch_one_token_together(far: Scripted):
    tokens = Tokens(far, expires_in=3600)
    adapter = oauth(far)
    threads = [threading.Thread(target=adapter.write, args=(WRITE,), kwargs={"timeout": 5}) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tokens.given == 1
    adapter.close()


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        (Said(400, {"error": "invalid_client"}), Trouble.AUTH),
        (Said(401, {"error": "invalid_client"}), Trouble.AUTH),
        (Said(404, b"<html>", {"Content-Type": "text/html"}), Trouble.CONFIG),
        (Said(302, None, {"Location": "https://elsewhere.example/"}), Trouble.CONFIG),
        (Said(200, {"token": "x"}), Trouble.CONFIG),
        (Said(200, b"<html>"), Trouble.CONFIG),
        (Said(200, [1]), Trouble.CONFIG),
        (Said(429, {}), Trouble.TRANSIENT),
        (Said(500, {}), Trouble.TRANSIENT),
        (Said(raw=b""), Trouble.TRANSIENT),
    ],
    ids=["client", "refused", "page", "redirect", "no_token", "html", "list", "limit", "error", "nothing"],
)
def test_without_a_token_nothing_is_sent(far: Scripted, said: Said, trouble: Trouble):
    """Nothing of the write left, so nothing about it is uncertain."""
    far.answer = lambda asked: said
    adapter = oauth(far)
    answer = adapter.write(WRITE, timeout=5)
    assert (answer.trouble, [asked.path for asked in far.asked]) == (trouble, ["/oauth/token?x=1"])
    assert answer.detail and "s3cret" not in repr(answer)
    adapter.close()


# ── certificates ────────────────────────────────────────────────────────────────────────────────────────────────────
def certificate(folder: Path, *, days: int = 1, address: str = "127.0.0.1") -> tuple[ssl.SSLContext, str]:
    """A self-signed certificate as a server shows it, and its PEM text."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "target")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=10))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(text + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context, text.decode()


def asked_over_tls(tmp_path: Path, *, known: bool, **certified: Any) -> tuple[Trouble | None, str, int]:
    context, text = certificate(tmp_path, **certified)
    with scripted(context) as far:
        far.answer = lambda asked: Said(201, {"id": 1})
        adapter = made(far, {}, **({"certificates": text} if known else {}))
        answer = adapter.write(WRITE, timeout=5)
        adapter.write(WRITE, timeout=5)
        adapter.close()
        return answer.trouble, answer.detail, len(far.asked)


def test_a_certificate_that_is_known_is_taken(tmp_path: Path):
    assert asked_over_tls(tmp_path, known=True) == (None, "", 2)


@pytest.mark.parametrize(
    ("known", "certified"),
    [(False, {}), (True, {"days": -1}), (True, {"address": "127.0.0.9"})],
    ids=["unknown", "ended", "of_another"],
)
def test_a_wrong_certificate_is_for_the_administrator_and_nothing_is_sent(tmp_path: Path, known: bool, certified: dict):
    trouble, detail, asked = asked_over_tls(tmp_path, known=known, **certified)
    assert (trouble, asked) == (Trouble.CONFIG, 0)
    assert "cannot prove who it is" in detail


def test_a_port_without_tls_is_told(far: Scripted):
    far.url = far.url.replace("http:", "https:")
    adapter = made(far, {})
    assert adapter.write(WRITE, timeout=5).trouble is Trouble.CONFIG
    adapter.close()
    assert far.asked == []


def test_certificates_that_are_none_are_told(far: Scripted):
    with pytest.raises(AssertionError, match="bad_certificate"):
        made(far, {}, certificates="nonsense")
    with pytest.raises(DocumentError):
        registry.make(
            "rest",
            {
                "connection": {"base_url": far.url, "certificates": "x"},
                "record": {"id": "/id"},
                "operations": {"probe": {}},
            },
            {},
            [],
        )


def test_a_proxy_of_the_environment_is_not_used(far: Scripted, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    far.answer = lambda asked: Said(201, {"id": 1})
    adapter = made(far, {})
    assert adapter.write(WRITE, timeout=5).trouble is None
    adapter.close()
