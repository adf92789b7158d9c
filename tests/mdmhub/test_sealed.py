"""The audit as operators meet it: the list of what is sealed, verify_audit, the daily turn, doctor, backup and restore."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.events import verifying_turns
from apps.events.checkpoint_keys import make_key, signer
from apps.events.models import AuditCheck, Seal
from mdmhub import doctor, embedded, sealed, tasks
from mdmhub.backup import read_manifest, restore_backup, restore_keys, write_backup, write_keys
from mdmhub.embedded.home import Home
from mdmhub.keys import make_keys
from tests import pipeline
from tests.events.sealed_hub import by_hand, checkpoint_lines, own_file, seal_all, verify
from tests.pipeline import one, person, query


@pytest.fixture(autouse=True)
def file(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "files"
    return own_file(settings, tmp_path)


def run(*options: str) -> tuple[int, str]:
    """Exit code and what was printed."""
    out = StringIO()
    try:
        call_command("verify_audit", *options, stdout=out, stderr=StringIO())
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


def some_history() -> None:
    pipeline.systems()
    pipeline.take("crm", person(1), person(2))
    pipeline.take("crm", person(1, language="fr"))


# ── The list ────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.django_db
def test_every_table_that_is_append_only_is_sealed_with_all_its_columns() -> None:
    """A migration that guards a table, or adds a column to one, has to say how it is sealed."""
    guarded = {row[0] for row in query("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'append_only'")}
    assert guarded <= {of.table for of in sealed.SEALED if of.aspect == "row"}
    for table in guarded:
        aspects = [of for of in sealed.SEALED if of.table == table]
        (row,) = [of for of in aspects if of.aspect == "row"]
        assert not row.columns, "all columns there are, whatever comes later"
        ends = {name for of in aspects if of.aspect != "row" for name in of.columns}
        assert set(row.later) - ends == ({"request", "response"} if table == "delivery_attempt" else set())
        assert bool(row.proof) == bool(
            query("SELECT 1 FROM information_schema.columns WHERE table_name = %s AND column_name = 'salt'", table)
        )


@pytest.mark.django_db
def test_what_is_set_once_is_sealed_when_it_is_set() -> None:
    once = query(
        "SELECT event_object_table, event_object_column FROM information_schema.triggered_update_columns WHERE trigger_name LIKE '%%set_once'"
    )
    assert len(once) == 6
    assert {(of.table, name) for of in sealed.SEALED for name in of.columns} >= set(once)


# ── verify_audit ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.django_db
def test_an_empty_hub_says_so() -> None:
    query("DELETE FROM policy")
    assert run() == (0, "Nothing is sealed yet; 0 rows wait for the sealer.\n")


@pytest.mark.django_db
def test_a_sound_audit_says_what_was_verified() -> None:
    some_history()
    tasks.seal()
    code, said = run()
    rows, seals = one("SELECT sum(count) FROM seal"), one("SELECT count(*) FROM seal")
    assert code == 0
    assert said.startswith(f"{rows} rows in {seals} batches verify; sealed until 20")
    assert said.endswith(f"signed up to batch {seals} (1 checkpoints); 0 rows wait for the sealer.\n")
    pipeline.take("crm", person(3))
    assert "wait for the sealer" in run()[1]
    assert json.loads(run("--json")[1])["waiting"] > 0


@pytest.mark.django_db
def test_findings_are_named_counted_and_end_with_1() -> None:
    some_history()
    tasks.seal()
    by_hand("UPDATE membership SET actor = 'user:mallory'")
    code, said = run("--most", "1")
    assert code == 1
    first = one("SELECT id FROM membership ORDER BY id LIMIT 1")
    assert f"EDITED             membership {first} (seal " in said
    assert "EDITED             and 1 more (--most)" in said
    assert "2 FINDINGS: 2 edited. See docs/runbooks/audit-does-not-verify.md." in said
    code, said = run("--json")
    told = json.loads(said)
    assert (code, told["broken"], told["counts"]) == (1, 2, {"edited": 2})
    assert {one_["table"] for one_ in told["findings"]} == {"membership"}
    assert run("--since", "2999-01-01")[0] == 0, "nothing was sealed since"


@pytest.mark.django_db
def test_a_moment_that_is_none_is_refused() -> None:
    with pytest.raises(CommandError, match="2026-05-01"):
        call_command("verify_audit", since="yesterday")


@pytest.mark.django_db
def test_a_copy_of_the_file_serves_as_well_and_the_public_key_is_told(file: Path, tmp_path: Path) -> None:
    some_history()
    tasks.seal()
    copy = file.rename(tmp_path / "copy")
    assert run()[0] == 1
    assert run("--checkpoints", str(copy))[0] == 0
    assert "-----BEGIN PUBLIC KEY-----" in run("--public-key")[1]


@pytest.mark.django_db
def test_a_restore_is_accepted_with_a_reason_only(file: Path) -> None:
    with pytest.raises(CommandError, match="Say why"):
        call_command("verify_audit", accept_restore=" ")
    some_history()
    tasks.seal()
    assert "goes on from seal" in run("--accept-restore", "moved")[1]
    assert [line.kind for line in checkpoint_lines()] == ["checkpoint", "restored"]
    assert file.stat().st_mode & 0o777 == 0o600


# ── Every day ───────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.django_db
def test_once_a_day_the_whole_is_verified_in_turns() -> None:
    some_history()
    tasks.seal()
    first = sealed.verify(seconds=0)
    assert first is not None
    assert (first.finished_at, first.rows) == (None, 0)
    second = sealed.verify(seconds=60)
    assert second is not None
    assert second.id == first.id
    assert second.finished_at is not None
    assert (second.rows, second.broken) == (one("SELECT sum(count) FROM seal"), 0)
    assert sealed.verify(seconds=60) is None, "not before tomorrow"
    AuditCheck.objects.update(started_at=timezone.now() - verifying_turns.EVERY)
    tasks.verify_audit()
    assert AuditCheck.objects.count() == 2


@pytest.mark.django_db
def test_doctor_tells_what_the_last_verification_found(caplog: pytest.LogCaptureFixture) -> None:
    some_history()
    tasks.seal()
    assert list(doctor.audit()) == []
    by_hand("UPDATE membership SET actor = 'user:mallory'")
    tasks.verify_audit()
    assert "the audit does not verify: 2 findings, first edited of membership" in caplog.text
    (finding,) = doctor.audit()
    assert (finding.level, finding.what) == ("problem", "does not verify: 2 findings")


@pytest.mark.django_db
def test_doctor_misses_the_file_the_verification_and_the_sealer(file: Path) -> None:
    some_history()
    tasks.seal()
    file.unlink()
    assert [(f.level, f.what) for f in doctor.audit()] == [("problem", f"the checkpoint file {file} is gone")]
    file.touch()
    by_hand("UPDATE seal SET sealed_at = sealed_at - interval '3 days'")
    assert [(f.level, f.what) for f in doctor.audit()] == [("warning", "was not verified for two days")]
    by_hand("DELETE FROM seal")
    by_hand("DELETE FROM seal_cursor")
    by_hand(
        "UPDATE membership SET id = '01900000-0000-7000-8000-000000000000' WHERE id = (SELECT id FROM membership ORDER BY id LIMIT 1)"
    )
    (late,) = doctor.audit()
    assert late.level == "warning"
    assert "rows wait for the sealer, the oldest for" in late.what


# ── Backup and restore ──────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.django_db(transaction=True)
def test_the_chain_verifies_after_a_restore_elsewhere_and_goes_on(file: Path, tmp_path: Path) -> None:
    pipeline.empty()
    some_history()
    seal_all()
    saved = tmp_path / "hub.zip"
    write_backup(saved)
    file.unlink()  # a new machine has no file yet
    restore_backup(saved)
    assert verify().findings == []
    assert verify().notices == []
    pipeline.take("crm", person(5))
    seal_all()
    assert verify().findings == []


@pytest.mark.django_db(transaction=True)
def test_a_restore_over_a_later_hub_is_signed_and_told(file: Path, tmp_path: Path) -> None:
    pipeline.empty()
    some_history()
    seal_all()
    saved = tmp_path / "hub.zip"
    write_backup(saved)
    before = Seal.objects.count()
    pipeline.take("crm", person(5))
    seal_all()
    restore_backup(saved)
    report = verify()
    assert report.findings == []
    assert f"the database went back to seal {before} (restored from a backup of" in report.notices[0]
    assert "1 checkpoints after it are of what is no more" in report.notices[0]
    pipeline.take("crm", person(6))
    seal_all()
    assert verify().findings == [], "the chain goes on with the same numbers"


@pytest.mark.django_db(transaction=True)
def test_a_database_that_was_put_back_by_other_means_is_told(file: Path, tmp_path: Path) -> None:
    pipeline.empty()
    some_history()
    seal_all()
    saved = tmp_path / "hub.zip"
    write_backup(saved)
    pipeline.take("crm", person(5))
    seal_all()
    later = file.read_text()
    restore_backup(saved)
    file.write_text(later)  # as though the hub's own command had not done it
    assert {one_.kind for one_ in verify().findings} == {"chain truncated"}


# ── The key ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_former_key_still_verifies_and_the_newest_signs() -> None:
    former, newest = make_key(), make_key()
    both = signer(newest + former)
    assert both.fingerprint == signer(newest).fingerprint
    assert set(both.known) == {signer(newest).fingerprint, signer(former).fingerprint}
    for bad in ("", "no key", former.replace("PRIVATE", "PUBLIC")):
        with pytest.raises(ValueError, match=r".+"):
            signer(bad)


def test_keys_saved_by_an_older_release_come_back_and_the_new_one_stays(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    make_keys(home)
    kept = tmp_path / "keys.json"
    write_keys(home, kept)
    older = {name: text for name, text in json.loads(kept.read_text()).items() if name != "audit-signing.pem"}
    kept.write_text(json.dumps({**older, "django-secret": "another"}))
    mine = (home.keys / "audit-signing.pem").read_text()
    restore_keys(home, kept)
    assert (home.keys / "django-secret").read_text() == "another"
    assert (home.keys / "audit-signing.pem").read_text() == mine


@pytest.mark.django_db(transaction=True)
def test_a_backup_of_an_older_release_knows_fewer_keys(tmp_path: Path) -> None:
    import zipfile

    pipeline.empty()
    saved = tmp_path / "hub.zip"
    write_backup(saved)
    manifest = read_manifest(saved)
    keys = {name: text for name, text in manifest.keys.items() if name != "audit-signing.pem"}
    with zipfile.ZipFile(saved) as archive:
        dump, told = archive.read("database.dump"), json.loads(archive.read("manifest.json"))
    with zipfile.ZipFile(saved, "w") as archive:
        archive.writestr("database.dump", dump)
        archive.writestr("manifest.json", json.dumps({**told, "keys": keys}))
    call_command("restore", str(saved), force=True, stdout=StringIO())
    assert embedded.home().keys.joinpath("audit-signing.pem").exists()
