"""Columns of identifiers: writings of one number are read once."""

import pyarrow as pa
import pyarrow.compute as pc

from apps.customers import canonical_identifiers
from apps.matching.standardise_contacts import identifier
from apps.matching.standardise_text_columns import among, ascii_only, batch, matching, texts_of


def numbers(texts: pa.Array, countries: pa.Array) -> pa.Array:
    """Each text without punctuation, where punctuation says nothing."""
    compact = pc.replace_substring_regex(pc.ascii_upper(texts), "[^0-9A-Z]+", "")
    reading = sorted(canonical_identifiers.READ_PUNCTUATION)
    kept = among(countries, reading) | matching(compact, f"^(?:{'|'.join(reading)})") | ~ascii_only(texts)
    return pc.if_else(pa.array(kept), texts, compact)


def read_identifiers(kind: str, rows: pa.RecordBatch) -> pa.RecordBatch:
    """Identifiers of one kind, read in their countries ('' for none): type|country|flag|number, '' for placeholders."""
    return batch(
        texts=texts_of(
            [_identifier(kind, *one) for one in zip(*(column.to_pylist() for column in rows.columns), strict=True)]
        )
    )


def _identifier(kind: str, text: str, country: str) -> str:
    found = canonical_identifiers.identifier.__wrapped__(kind, text, country or None)
    return identifier.__wrapped__(kind, found.country or "", found.value, verified=found.verified) if found else ""
