"""A set of records, standardised once, and who is who in it: what is resolved again and again."""

from typing import Any

import numpy as np
import numpy.typing as npt

from apps.connectors.files_columns import read_columns
from apps.matching.encoded import Encoded
from apps.matching.features import NAMES
from apps.matching.parameters import Model
from apps.matching.resolving import Clock, Options, Resolved, resolve_standardised
from apps.matching.standardise_columns import standardise_columns
from benchmarks.peers_run import Set
from benchmarks.quality import judge, read


class Known:
    """`entity`: a number for the customer that each record truly is of."""

    def __init__(self, one: Set) -> None:
        assert one.records is not None
        table = read_columns(one.records).table
        self._ids = [str(record) for record in table.column("record_id").to_pylist()]
        self._truth = read(one.truth, "entity_id")
        numbers: dict[str, int] = {}
        self.entity = np.array([numbers.setdefault(self._truth[record], len(numbers)) for record in self._ids])
        self._records = standardise_columns(table)

    def records(self) -> Encoded:
        """Fresh ones: what was made of others is forgotten."""
        return Encoded(None, {name: self._records.column(name) for name in NAMES})

    def resolved(self, model: Model, options: Options) -> Resolved:
        return resolve_standardised(self.records(), model, options, Clock(lambda _: None), [])

    def judged(self, label: npt.NDArray[np.int64]) -> dict[str, Any]:
        """Clusters, by the label of each record, against the truth."""
        return judge(self._truth, dict(zip(self._ids, map(str, label.tolist()), strict=True)))
