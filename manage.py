#!/usr/bin/env python
"""Every command of the hub: `manage.py up`, `manage.py doctor`, `manage.py help`."""

import os
import sys


def main() -> None:
    """Run one command; a mistake in the environment is told in a sentence, not in a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mdmhub.settings")
    try:
        from django.core.management import execute_from_command_line
    except ModuleNotFoundError as error:
        sys.exit(f"{error}. The hub's libraries live in .venv: run `make setup`, then `.venv/bin/python manage.py …`.")
    from mdmhub.env import Misconfigured

    try:
        execute_from_command_line(sys.argv)
    except Misconfigured as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
