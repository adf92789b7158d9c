"""A customer's values as JSON-able data: what readers, snapshots and comparisons of versions share."""

from typing import Any

from apps.customers.survivorship import PARTS, SCALARS


def values_of(row: Any) -> dict[str, Any]:
    """Effective values of a Customer or of one of its history rows; attributes without value are left out.

    Dates and amounts are text ("1980-02-29", "1200.00"), list parts keep `id` and `from` (records they came from)."""
    values: dict[str, Any] = {}
    for name in ("kind", *SCALARS):
        value = getattr(row, name)
        if value is not None:
            values[name] = (
                value if isinstance(value, str) else value.isoformat() if name == "birth_date" else str(value)
            )
    values.update((name, getattr(row, name)) for name in (*PARTS, "extra") if getattr(row, name))
    return values


def without_origin(value: Any) -> Any:
    """A list's entries without where they came from: that is lineage, not a difference of what the customer is."""
    if not isinstance(value, list):
        return value
    return [{k: v for k, v in part.items() if k not in ("from", "id")} for part in value]
