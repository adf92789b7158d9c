"""The hub learns a model from its own records and its people's verdicts."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

import pyarrow as pa
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import MD5, Cast

from apps.matching import engine
from apps.matching.encoded import Encoded
from apps.matching.model import active_model
from apps.matching.models import MatchRecord
from apps.matching.parameters import Model
from apps.matching.training_model import Learned, learn
from apps.matching.verdicts import Pair, labels_among, verdicts

SAMPLE: Final = 200_000
_CHUNK: Final = 20_000


def learn_from_hub(*, sample: int = SAMPLE) -> Learned:
    """Learn from `sample` records drawn by their ids, all records with a verdict among them. Nothing is stored.

    What is believed before is what is shipped, never an earlier result: else the same records would count again and again. Caps and
    margins are those in force. Raises training.Degenerate."""
    told = verdicts()
    ids, table = _records(sample, told)
    shipped = Model.load_default().to_dict()
    base = Model.from_dict({**shipped, "thresholds": dict(vars(active_model().model.thresholds))})
    return learn(Encoded(table), base, labels_among(told, ids))


def _records(sample: int, told: Mapping[Pair, bool]) -> tuple[list[UUID], pa.Table]:
    """Ids and features of records that count: neither deleted nor followers of another."""
    whole = MatchRecord.objects.filter(
        features_version=engine.FEATURES_VERSION, source_record__deleted=False, source_record__follows=None
    )
    named = Q(source_record__in={record for pair in told for record in pair})
    drawn = whole.exclude(named).order_by(MD5(Cast("source_record_id", TextField())))[:sample]
    ids: list[UUID] = []
    tables = []
    for rows in (whole.filter(named), drawn):
        for chunk in _chunks(rows):
            ids += [record for record, _ in chunk]
            tables.append(engine.from_json([features for _, features in chunk]))
    return ids, pa.concat_tables(tables) if tables else engine.from_json([])


def _chunks(rows: "QuerySet[MatchRecord]") -> "list[list[tuple[UUID, str]]]":
    found: list[list[tuple[UUID, str]]] = [[]]
    for row in rows.values_list("source_record_id", "features").iterator(chunk_size=_CHUNK):
        if len(found[-1]) == _CHUNK:
            found.append([])
        found[-1].append(row)
    return [chunk for chunk in found if chunk]
