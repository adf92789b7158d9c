"""The model in force: the active row of match_model, made from the shipped defaults when the hub has none."""

from dataclasses import dataclass
from functools import lru_cache

from django.db import IntegrityError, transaction

from apps.customers.models import System
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


def active_model() -> ActiveModel:
    """Two small queries; the parsed model is cached by its hash."""
    row = MatchModel.objects.filter(state="active").values_list("version", "hash").first()
    if row is None:
        row = _adopt_default()
    distinct = frozenset(System.objects.filter(one_record_per_customer=True).values_list("id", flat=True))
    return ActiveModel(row[0], _parsed(row[1]), distinct)


def _adopt_default() -> tuple[int, str]:
    """The shipped parameters become version 1; of two processes that try, one wins and both read its row."""
    default = Model.load_default()
    try:
        with transaction.atomic():
            MatchModel.objects.create(version=1, parameters=default.to_dict(), hash=default.hash)
    except IntegrityError:
        pass
    version, digest = MatchModel.objects.filter(state="active").values_list("version", "hash").get()
    return version, digest
