"""A small hub in which everything that is sealed has happened, and a hand that does what no program may."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.connectors.models import Connection, DeliveryAttempt, GoLive
from apps.customers import pins
from apps.customers.erase import erase_history
from apps.customers.models import ChangeRequest, Customer
from apps.customers.refresh import decide_request
from apps.customers.rekey import Rename, rekey
from apps.events import checkpoints, verifying
from apps.events.models import Checkpoint, Seal
from apps.events.relay import relay_all
from apps.matching import judge
from apps.stewardship import decisions, notes
from mdmhub import sealed
from tests import pipeline
from tests.pipeline import alice, bob, person, query, take

PEOPLE = 40


def everything() -> None:
    """Records, changes, merges, words of people and of targets: each aspect of mdmhub/sealed.py has a row at least."""
    pipeline.systems()
    pipeline.owners_of_nothing()
    take("crm", *(person(n, language="de") for n in range(PEOPLE)))
    take("erp", *(person(n, currency="EUR") for n in range(PEOPLE)))
    take("crm", *(person(n, language="fr") for n in range(0, PEOPLE, 2)))
    take("crm", person(3, payment_terms="NET30"))
    take("erp", person(3, payment_terms="NET60"), act=alice())  # held until somebody else says yes
    decide_request(change_request=ChangeRequest.objects.filter(state="open").earliest("id").id, act=bob())
    at = pipeline.where()
    merged = alice()
    judge.merge(customers=[at["crm:P4"], at["crm:P5"]], act=merged)
    judge.undo(correlation_id=merged.correlation_id, act=bob())
    judge.merge(customers=[at["crm:P6"], at["crm:P7"]], act=alice())
    rekey(system_id=pipeline.systems()["crm"].id, renames=[Rename("P14", "C-14")], act=alice())
    records = pipeline.record_ids()
    one, other = sorted((records["crm:P8"], records["crm:P9"]))
    related = bob()
    judge.keep_apart(pairs=[(one, other)], related_as="household", act=related)
    judge.undo(correlation_id=related.correlation_id, act=alice())
    row = Customer.objects.get(id=at["crm:P10"])
    done = decisions.unmerge(customer=row.id, records=[records["erp:P10"]], version=row.version, act=alice())
    decisions.undo(decision=done.id, act=alice())
    pins.pin(customer=at["crm:P11"], attribute="language", value="it", act=alice())
    pins.pin(customer=at["crm:P11"], attribute="language", value="es", act=alice())
    take("crm", person(12, email="someone.else@mail.example", phone="+49 30 1234567"))  # scored anew
    written = notes.add(id=UUID(int=7 << 64), customer=at["crm:P1"], body="Call before noon.", act=alice())
    notes.remove(id=written.id, act=bob())
    take("billing", {"record_id": "P2", "kind": "dragon"}, {"record_id": "X", "kind": "dragon"})
    _told_a_target()
    erase_history(customer=at["crm:P13"], act=alice())
    relay_all()


def _told_a_target() -> None:
    """What a target was told, and who let it: rows as the way out writes them."""
    system = pipeline.one("SELECT id FROM system WHERE code = 'crm'")
    made = Connection.objects.create(system_id=system, name="CRM", adapter="rest", mode="observe")
    GoLive.objects.create(
        connection=made, state="approved", counts={"update": 2}, author="user:alice", reason="go", approver="user:bob",
        decision="go", decided_at=pipeline.one("SELECT clock_timestamp()"), correlation_id=UUID(int=1),
    )  # fmt: skip
    DeliveryAttempt.objects.bulk_create(
        DeliveryAttempt(
            delivery_id=UUID(int=n), number=1, started_at=pipeline.one("SELECT clock_timestamp()"), ms=12, status=200,
            request="{}", response="{}",
        )
        for n in range(3)
    )  # fmt: skip


def seal_all() -> None:
    """The sealer until nothing waits."""
    done = sealed.seal(seconds=60)
    assert not done.busy
    assert not done.behind


def verify(**options: Any) -> verifying.Report:
    return verifying.verify(
        tables=sealed.SEALED, file=sealed.checkpoint_file(), known=sealed.audit_signer().known, **options
    )


def found(report: verifying.Report) -> set[tuple[str, str, str]]:
    """(kind, table, id) of every finding."""
    return {(one.kind, one.table, one.id) for one in report.findings}


@contextmanager
def tampering() -> Iterator[None]:
    """With the guards of the database off, as who owns the database can switch them off. An error takes the setting back with it."""
    query("SET LOCAL session_replication_role = replica")
    yield
    query("SET LOCAL session_replication_role = origin")


def by_hand(statement: str, *values: Any) -> None:
    with tampering():
        query(statement, *values)


@contextmanager
def undone() -> Iterator[None]:
    """What happens inside has not happened afterwards."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def sequence_of(aspect: str, id_: UUID) -> int:
    """The seal in which a row stands."""
    for seal in Seal.objects.filter(aspect=aspect):
        if id_.bytes in {bytes(seal.leaves)[at : at + 16] for at in range(0, len(seal.leaves), 48)}:
            return seal.sequence
    raise AssertionError(f"{aspect} {id_} has no seal")


def checkpoint_lines() -> list[checkpoints.Line]:
    return checkpoints.read(sealed.checkpoint_file(), sealed.audit_signer().known)


def signed() -> list[int]:
    return list(Checkpoint.objects.order_by("sequence").values_list("sequence", flat=True))


def own_file(settings: Any, folder: Path) -> Path:
    """The checkpoint file of this test alone."""
    file = folder / "audit" / "checkpoints.ndjson"
    settings.CHECKPOINT_FILE = file
    return file
