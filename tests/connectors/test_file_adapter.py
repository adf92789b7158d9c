"""Files out: whole when they appear, once for a batch, harmless to open; folders and servers that are not what they should be."""

import csv
import resource
import socket
import stat
import threading
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from apps.connectors.contract import Op, Trouble
from tests.contracts.sftp_server import serving
from tests.contracts.targets import CUSTOMER, TIMEOUT, Target, file_target, sftp_target


@pytest.fixture
def target(tmp_path: Path):
    target = file_target(tmp_path)
    yield target
    target.close()


@pytest.fixture
def sftp(tmp_path: Path):
    with serving(tmp_path, password="pass-word") as server:
        target = sftp_target(tmp_path, server.port, server.host_key, "pass-word")
        target.server = server
        yield target
        target.close()


def lines(target: Target) -> list[list[str]]:
    (path,) = target.files()
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_the_columns(target: Target):
    adapter = target.adapter()
    create = target.create()
    update = target.told(Op.UPDATE, "key-2", {"phone": None, "city": "Bonn", "hub_version": 7}, external_id="key-2")
    adapter.write_all([create, update], timeout=TIMEOUT)
    header, first, second = lines(target)
    assert header == [
        "hub_key", "operation", "version", "correlation_id", "changed", "Type", "Company", "First name", "Last name", "E-Mail",
        "Phone", "VAT", "address.city", "address.country", "languages.0", "Status", "Hub id", "Hub version",
    ]  # fmt: skip
    assert dict(zip(header, first, strict=True)) | {"changed": ""} == {
        "hub_key": "key-1", "operation": "create", "version": "1", "correlation_id": "trace-key-1", "changed": "",
        "Type": "organization", "Company": "Kestrel Instruments", "First name": "", "Last name": "",
        "E-Mail": "office@kestrel.example", "Phone": "'+49301234567", "VAT": "DE136695976", "address.city": "Berlin",
        "address.country": "DE", "languages.0": "de", "Status": "A", "Hub id": CUSTOMER["customer_id"], "Hub version": "1",
    }  # fmt: skip
    assert second[:5] == ["key-2", "update", "7", "trace-key-2", "Phone;address.city;Hub version"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"], ids=repr)
def test_what_a_spreadsheet_would_run_is_guarded(target: Target, text: str):
    target.adapter().write(target.create(values={**CUSTOMER, "family_name": text}), timeout=TIMEOUT)
    assert f"'{text}" in lines(target)[1]
    assert not [cell for row in lines(target) for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_who_reads_with_a_program_may_have_no_guard(target: Target):
    target.document["files"]["guard_formulas"] = False
    target.document["files"]["delimiter"] = ";"
    target.adapter().write(target.create(), timeout=TIMEOUT)
    (path,) = target.files()
    assert ";+49301234567;" in path.read_text(encoding="utf-8")


def test_the_same_batch_is_one_file_and_another_one_is_not(target: Target):
    writes = [target.create(f"key-{n}") for n in range(3)]
    first = target.adapter().write_all(writes, timeout=TIMEOUT)
    again = target.adapter().write_all(writes, timeout=TIMEOUT)
    assert [a.trouble for a in (*first, *again)] == [None] * 6
    assert [a.external_id for a in first] == ["key-0", "key-1", "key-2"]
    assert len(target.files()) == 1 and "there already" in again[0].response
    target.adapter().write_all(writes[:2], timeout=TIMEOUT)
    assert len(target.files()) == 2


@pytest.mark.parametrize("place", ["folder", "sftp"])
def test_the_same_batch_with_other_content_is_not_written_over(request, place: str):
    target = request.getfixturevalue("target" if place == "folder" else "sftp")
    adapter = target.adapter()
    write = target.create()
    assert adapter.write(write, timeout=TIMEOUT).trouble is None
    before = target.files()[0].read_bytes()
    for other in ("Somebody else", "Kestrel Instruments".swapcase()):
        answer = adapter.write(replace(write, fields={**write.fields, "Company": other}), timeout=TIMEOUT)
        assert (answer.trouble, answer.code) == (Trouble.FATAL, "other_content")
    assert target.files()[0].read_bytes() == before


@pytest.mark.parametrize("place", ["folder", "sftp"])
def test_nothing_half_is_ever_seen(request, place: str):
    """Somebody who looks all the time sees only whole files, and nothing but them is left."""
    target = request.getfixturevalue("target" if place == "folder" else "sftp")
    adapters = [target.adapter() for _ in range(3)]
    seen, done = set(), threading.Event()

    def look() -> None:
        while not done.is_set():
            for path in (target.folder / "out").glob("*.csv"):
                seen.add((path.name, path.stat().st_size))

    (target.folder / "out").mkdir()
    looker = threading.Thread(target=look)
    looker.start()
    batches = [[target.create(f"key-{n}-{k}") for k in range(60)] for n in range(4)]
    writers = [
        threading.Thread(target=lambda a=a: [a.write_all(batch, timeout=TIMEOUT) for batch in batches])
        for a in adapters
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    looker.join()
    whole = {(path.name, path.stat().st_size) for path in target.files()}
    assert seen <= whole
    assert sorted(path.suffix for path in (target.folder / "out").iterdir()) == [".csv"] * 4


@pytest.mark.parametrize("place", ["folder", "sftp"])
def test_a_file_that_did_not_become_whole_leaves_nothing(request, place: str):
    """The disk takes no more in the middle of a file; when it does again, the same batch is written."""
    target = request.getfixturevalue("target" if place == "folder" else "sftp")
    adapter = target.adapter()
    write = target.create(values={**CUSTOMER, "family_name": "x" * 3_000_000})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        answer = adapter.write(write, timeout=TIMEOUT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (answer.trouble, answer.external_id) == (Trouble.TRANSIENT, None)
    assert list((target.folder / "out").iterdir()) == []
    assert adapter.write(write, timeout=TIMEOUT).trouble is None
    assert len(target.files()) == 1


def test_files_are_not_for_everybody(target: Target):
    target.adapter().write(target.create(), timeout=TIMEOUT)
    (path,) = target.files()
    assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0


def test_a_folder_outside_those_allowed_is_not_touched(tmp_path: Path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    for folder in (outside, inside / "link", tmp_path, Path("/")):
        target = file_target(folder)
        target.allowed = (str(inside), "127.0.0.1")
        answer = target.adapter().write(target.create(), timeout=TIMEOUT)
        assert (answer.trouble, answer.code) == (Trouble.CONFIG, "closed_folder")
        target.close()
    assert list(outside.iterdir()) == []
    (inside / "out").symlink_to(outside)
    target = file_target(inside)
    assert target.adapter().write(target.create(), timeout=TIMEOUT).trouble is Trouble.CONFIG
    assert list(outside.iterdir()) == []
    target.close()


def test_a_link_in_the_folder_of_incoming_files_is_not_followed(target: Target, tmp_path: Path):
    (tmp_path / "in").mkdir()
    secret = tmp_path / "secret.csv"
    secret.write_text("Number\n1\n")
    (tmp_path / "in" / "a.csv").symlink_to(secret)
    page = target.adapter().changes({}, limit=10, timeout=TIMEOUT)
    assert list(page.records) == []


@pytest.mark.parametrize("place", ["folder", "out"])
def test_a_file_where_a_folder_should_be(target: Target, tmp_path: Path, place: str):
    if place == "folder":
        target.document["connection"]["folder"] = str(tmp_path / "file")
    (tmp_path / ("file" if place == "folder" else "out")).write_text("")
    answer = target.adapter().write(target.create(), timeout=TIMEOUT)
    assert (answer.trouble, answer.code) == (Trouble.CONFIG, "no_access")


# ── SFTP ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_unknown_host_key_stops_before_the_password(sftp: Target):
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    rsa = asyncssh.generate_private_key("ssh-rsa", key_size=2048).export_public_key().decode().strip()
    for key in (other, rsa):
        sftp.document["connection"]["host_key"] = key
        answer = sftp.adapter().write(sftp.create(), timeout=TIMEOUT)
        assert (answer.trouble, answer.code) == (Trouble.CONFIG, "host_key")
    assert (sftp.server.logins, sftp.files()) == (0, [])


def test_one_connection_serves_many_calls(sftp: Target):
    adapter = sftp.adapter()
    for n in range(5):
        assert adapter.write(sftp.create(f"key-{n}"), timeout=TIMEOUT).trouble is None
    assert sftp.server.logins == 1 and len(sftp.files()) == 5


def test_a_private_key_lets_in(tmp_path: Path):
    kinds = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ssh-rsa")
    forms = ("openssh", "pkcs8-pem")
    for kind, form in [(kind, form) for kind in kinds for form in forms]:
        key = asyncssh.generate_private_key(kind)
        public = key.export_public_key().decode()
        folder = tmp_path / f"{kind}-{form}"
        folder.mkdir()
        with serving(folder, password="x", public_key=public) as server:
            target = sftp_target(folder, server.port, server.host_key, "")
            target.credentials = {"username": "hub", "private_key": key.export_private_key(form).decode()}
            assert target.adapter().write(target.create(), timeout=TIMEOUT).trouble is None
            target.credentials = {"username": "hub", "private_key": "nonsense"}
            answer = target.adapter().write(target.create(), timeout=TIMEOUT)
            assert (answer.trouble, answer.code) == (Trouble.AUTH, "bad_key")
            target.credentials = {}
            assert target.adapter().probe(timeout=TIMEOUT).trouble is Trouble.AUTH
            target.close()


def test_a_server_that_went_away_and_came_back(tmp_path: Path):
    with serving(tmp_path, password="pass-word") as server:
        target = sftp_target(tmp_path, server.port, server.host_key, "pass-word")
        adapter = target.adapter()
        assert adapter.write(target.create("key-1"), timeout=TIMEOUT).trouble is None
    assert adapter.write(target.create("key-2"), timeout=2).trouble is Trouble.TRANSIENT
    target.close()


def test_a_port_that_speaks_something_else(sftp: Target):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sftp.document["connection"] |= {"port": silent.getsockname()[1], "connect_timeout": 0.5}
        assert sftp.adapter().write(sftp.create(), timeout=2).trouble is Trouble.TRANSIENT


def test_a_folder_that_is_not_there(sftp: Target):
    sftp.document["connection"]["folder"] = "/nowhere/at/all"
    assert sftp.adapter().probe(timeout=TIMEOUT).trouble is Trouble.CONFIG
    assert sftp.adapter().write(sftp.create(), timeout=TIMEOUT).trouble is Trouble.CONFIG
