"""A hub of its own for a benchmark: embedded servers in a scratch HUB_HOME, migrated, with the demo's systems."""

import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def scratch_hub(keep: Path | None = None) -> Iterator[Path]:
    """Starts a hub in a new folder (or in `keep`, which stays), sets Django up, and ends its servers afterwards."""
    sys.path.insert(0, str(ROOT))
    home = keep or Path(tempfile.mkdtemp(prefix="hub-bench-"))
    os.environ["HUB_HOME"] = str(home)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mdmhub.settings")
    import django

    django.setup()
    from django.core.management import call_command

    from mdmhub import embedded
    from mdmhub.demo import load

    try:
        call_command("migrate", verbosity=0)
        load.ensure_systems()
        yield home
    finally:
        from django.db import connections

        connections.close_all()
        embedded.stop_all()
        if keep is None:
            shutil.rmtree(home, ignore_errors=True)


def peak_mb() -> float:
    """Peak resident memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
