"""Files for the readers."""

from pathlib import Path

import pytest


@pytest.fixture
def write(tmp_path: Path):
    def write(content: bytes | str, name: str = "records.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write
