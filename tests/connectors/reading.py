"""Reading a file in one go, and what was seen in it."""

from pathlib import Path

from apps.connectors.files import Row, open_rows


def rows(path: Path, **options) -> list[Row]:
    with open_rows(path, **options) as reader:
        return list(reader)


def seen(found: list[Row]) -> list[tuple[int, object]]:
    """Line and values, or line and the code of the first problem."""
    return [(row.line, row.problems[0].code if row.problems else row.values) for row in found]
