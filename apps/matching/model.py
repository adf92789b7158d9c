"""The model in force: the active row of match_model, made from the shipped defaults when the hub has none."""

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from django.db import IntegrityError, connection, transaction

from apps.common.errors import Permanent
from apps.matching.models import MatchModel
from apps.matching.parameters import Model


@dataclass(frozen=True, slots=True)
class ActiveModel:
    """`distinct_systems`: systems whose own records are never merged with one another automatically."""

    version: int
    model: Model
    distinct_systems: frozenset[int]


@lru_cache(maxsize=8)
def _parsed(digest: str) -> Model:
    return Model.from_dict(MatchModel.objects.get(hash=digest).parameters)


_ACTIVE = "SELECT version, hash, ARRAY(SELECT id FROM system WHERE one_record_per_customer) FROM match_model WHERE state = 'active'"


def active_model() -> ActiveModel:
    """One small query; the parsed model is cached by its hash."""
    row = _active_row()
    if row is None:
        _adopt_default()
        row = _active_row()
    if row is None:
        raise Permanent("No model of matching is active: make one version of match_model active again.")
    return ActiveModel(row[0], _parsed(row[1]), frozenset(row[2]))


def _active_row() -> tuple[int, str, list[int]] | None:
    with connection.cursor() as cursor:
        cursor.execute(_ACTIVE)
        row: tuple[int, str, list[int]] | None = cursor.fetchone()
    return row


def is_in_force(version: int) -> bool:
    """Whether a version is active; if so it stays so until the caller's transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM match_model WHERE version = %s AND state = 'active' FOR SHARE", (version,))
        return cursor.fetchone() is not None


def _adopt_default() -> None:
    """The shipped parameters become version 1; of two processes that try, one wins and both go on with its row."""
    default = Model.load_default()
    with suppress(IntegrityError), transaction.atomic():
        MatchModel.objects.create(version=1, parameters=default.to_dict(), hash=default.hash)
