"""mdmhub.backup: what goes in comes out; a bad backup changes nothing."""

import json
import stat
import zipfile
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection

from apps.connectors.models import Connection
from apps.customers.models import System
from mdmhub import backup, embedded
from mdmhub.backup import (
    BackupFailed,
    key_fingerprints,
    read_manifest,
    restore_backup,
    restore_keys,
    write_backup,
    write_keys,
)
from tests import pipeline

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_uploads(settings: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The upload folder is the test's alone: the run's other process works on this file too."""
    settings.MEDIA_ROOT = tmp_path_factory.mktemp("files")


@pytest.fixture
def saved(tmp_path: Path) -> Iterator[Path]:
    """A backup that holds one user, `kept`."""
    get_user_model().objects.create_user("kept")
    file = tmp_path / "hub.zip"
    write_backup(file)
    yield file


def users() -> set[str]:
    return set(get_user_model().objects.values_list("username", flat=True))


def checksums() -> dict[str, str]:
    """A digest per table of all its rows."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM "{table}" t')
            found[table] = cursor.fetchone()[0]
    return found


def test_round_trip(saved: Path) -> None:
    before = checksums()
    get_user_model().objects.all().delete()
    get_user_model().objects.create_user("later")
    restore_backup(saved)
    assert checksums() == before
    assert users() == {"kept"}
    assert backup.broken_invariants() == []


def test_a_restored_hub_can_be_backed_up_and_restored_again(saved: Path, tmp_path: Path) -> None:
    restore_backup(saved)
    second = tmp_path / "second.zip"
    write_backup(second)
    restore_backup(second)
    assert users() == {"kept"}
    get_user_model().objects.create_user("after")  # sequences go on where they were


def test_what_was_live_observes_after_a_restore(tmp_path: Path) -> None:
    """The targets may be ahead of what comes back: two people look at the plan first."""
    system = System.objects.create(code="crm", name="CRM", kind="crm")
    made = Connection.objects.create(system=system, name="CRM", adapter="rest", mode="live")
    file = tmp_path / "hub.zip"
    write_backup(file)
    restore_backup(file)
    made.refresh_from_db()
    assert made.mode == "observe"


def test_the_file_is_closed_to_others_and_holds_no_key(saved: Path) -> None:
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    content = saved.read_bytes()
    with zipfile.ZipFile(saved) as archive:
        assert set(archive.namelist()) == {"database.dump", "manifest.json"}
    for name in ("django-secret", "field-encryption"):
        assert (embedded.home().keys / name).read_bytes().strip() not in content


def test_the_manifest_tells_rows_and_migrations(saved: Path) -> None:
    manifest = read_manifest(saved)
    assert manifest.tables["user"] == 1
    assert manifest.migrations["auth"].startswith("00")
    assert set(manifest.keys) == {"django-secret", "field-encryption", "oidc-private.pem", "audit-signing.pem"}


def test_uploads_come_along(settings: Any, saved: Path, tmp_path: Path) -> None:
    upload = Path(settings.MEDIA_ROOT) / "runs" / "rows.csv"
    upload.parent.mkdir(parents=True, exist_ok=True)
    upload.write_text("a,b\n")
    file = tmp_path / "with-files.zip"
    write_backup(file)
    upload.unlink()
    restore_backup(file)
    assert upload.read_text() == "a,b\n"


def damage(file: Path, **changes: object) -> None:
    """Rewrite the manifest of a backup."""
    with zipfile.ZipFile(file) as archive:
        dump, manifest = archive.read("database.dump"), json.loads(archive.read("manifest.json"))
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("database.dump", dump)
        archive.writestr("manifest.json", json.dumps({**manifest, **changes}))


def test_a_missing_row_undoes_the_restore(saved: Path) -> None:
    get_user_model().objects.create_user("later")
    damage(saved, tables={**read_manifest(saved).tables, "user": 7})
    with pytest.raises(BackupFailed, match="table user does not have 7 rows"):
        restore_backup(saved)
    assert users() == {"kept", "later"}


def test_a_cut_dump_undoes_the_restore(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        dump, manifest = archive.read("database.dump"), archive.read("manifest.json")
    with zipfile.ZipFile(saved, "w") as archive:
        archive.writestr("database.dump", dump[: len(dump) // 2])
        archive.writestr("manifest.json", manifest)
    get_user_model().objects.create_user("later")
    with pytest.raises(BackupFailed, match="the hub is as it was"):
        restore_backup(saved)
    assert users() == {"kept", "later"}


@pytest.mark.parametrize(
    "content", [b"", b"no zip at all", b"PK\x05\x06" + b"\0" * 18], ids=["empty", "text", "empty-zip"]
)
def test_what_is_no_backup_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.zip"
    file.write_bytes(content)
    with pytest.raises(BackupFailed, match="no backup of this hub"):
        read_manifest(file)


def test_a_backup_of_a_later_release_is_refused(saved: Path) -> None:
    damage(saved, format=99)
    with pytest.raises(BackupFailed, match="later release"):
        read_manifest(saved)


def test_a_failed_backup_leaves_the_older_one(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()
    monkeypatch.setattr(backup, "program", lambda name: "/bin/false")
    with pytest.raises(BackupFailed, match="pg_dump failed"):
        write_backup(saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_other_keys_are_refused_until_given(saved: Path, tmp_path: Path) -> None:
    home = embedded.home()
    kept, mine = tmp_path / "kept.json", key_fingerprints(home)
    write_keys(home, kept)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    try:
        (home.keys / "field-encryption").write_text("another key")
        with pytest.raises(CommandError, match="--keys KEYFILE"):
            call_command("restore", str(saved), force=True)
        out = StringIO()
        call_command("restore", str(saved), force=True, keys=kept, stdout=out)
        assert "no invariant is broken" in out.getvalue()
    finally:
        restore_keys(home, kept)
    assert key_fingerprints(home) == mine


def test_the_commands_round_trip(tmp_path: Path) -> None:
    get_user_model().objects.create_user("kept")
    file, keys, out = tmp_path / "hub.zip", tmp_path / "keys.json", StringIO()
    call_command("backup", str(file), keys=keys, stdout=out)
    assert "keep this file apart" in out.getvalue()
    get_user_model().objects.all().delete()
    call_command("restore", str(file), stdout=out)
    assert users() == {"kept"}


def test_a_hub_with_records_is_replaced_only_by_force_and_comes_back_whole(tmp_path: Path) -> None:
    pipeline.systems()
    for system in ("crm", "erp"):
        pipeline.take(system, {"record_id": "1", "kind": "person", "name": "Ada Byron", "email": "ada@example.org"})
    before, file = checksums(), tmp_path / "hub.zip"
    call_command("backup", str(file), stdout=StringIO())
    with pytest.raises(CommandError, match="not empty"):
        call_command("restore", str(file))
    pipeline.take("crm", {"record_id": "2", "kind": "person", "name": "Grace Hopper", "email": "grace@example.org"})
    assert checksums() != before
    call_command("restore", str(file), force=True, stdout=StringIO())
    assert checksums() == before
    assert backup.broken_invariants() == []
