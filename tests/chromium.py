"""Finds a Chromium for the browser tests, or gets one: `python -m tests.chromium`.

In order: CHROMIUM names it; one that is installed; as root Debian's package is installed; else Debian's package and
what it needs is unpacked into .cache/chromium, without touching the system.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-dejavu-core")
HOW = "run `make test`, or `.venv/bin/python -m tests.chromium`, or name a browser with CHROMIUM=/path/to/chromium"
WRAPPER = """#!/bin/sh
# Runs the unpacked Chromium with the libraries and fonts unpacked beside it.
here={root}
libraries=$here/usr/lib/chromium
for folder in "$here"/usr/lib/*-linux-gnu "$here"/lib/*-linux-gnu "$here"/usr/lib/*-linux-gnu/*/; do
    [ -d "$folder" ] && libraries=$libraries:$folder
done
export LD_LIBRARY_PATH="$libraries"
export FONTCONFIG_FILE="$here/fonts.conf"
exec "$here/usr/lib/chromium/chromium" "$@"
"""
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{root}/usr/share/fonts</dir><dir>/usr/share/fonts</dir><cachedir>{root}/font-cache</cachedir></fontconfig>
"""


class NoBrowser(Exception):
    """No Chromium, and none could be had; the message says why."""


def find() -> Path | None:
    """A Chromium that starts, or None."""
    given = os.environ.get("CHROMIUM")
    candidates = [given] if given else [*(shutil.which(name) for name in NAMES), str(CACHE / "run")]
    for candidate in candidates:
        if candidate and Path(candidate).exists() and _starts(candidate):
            return Path(candidate)
    return None


def _starts(program: str) -> bool:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def get() -> Path:
    """A Chromium that starts, installed or unpacked if need be. Raises NoBrowser."""
    found = find()
    if found is not None:
        return found
    if shutil.which("apt-get") is None:
        raise NoBrowser("no Chromium, and no Debian to get one from: install one, then name it with CHROMIUM=")
    if os.geteuid() == 0:
        _apt(["update"])
        _apt(["install", "--yes", "--no-install-recommends", *PACKAGES])
    else:
        _unpack()
    found = find()
    if found is None:
        raise NoBrowser("the Chromium that was fetched does not start")
    return found


def _apt(arguments: list[str], *, own: Path | None = None, cwd: Path | None = None) -> str:
    """Run apt-get, with package lists of our own where the system's may not be written."""
    places = [f"Dir::State::Lists={own}/lists", f"Dir::Cache={own}/cache", "Debug::NoLocking=1"] if own else []
    options = [part for place in places for part in ("-o", place)]
    done = subprocess.run(
        ["apt-get", "--quiet", *options, *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        cwd=cwd,
        text=True,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise NoBrowser(f"apt-get {arguments[0]} failed:\n{(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


def _unpack() -> None:
    shutil.rmtree(CACHE, ignore_errors=True)
    own, packages = CACHE / "apt", CACHE / "packages"
    for folder in (own / "lists" / "partial", own / "cache" / "archives" / "partial", packages):
        folder.mkdir(parents=True)
    _apt(["update"], own=own)
    plan = _apt(["install", "--yes", "--no-install-recommends", "--simulate", *PACKAGES], own=own)
    wanted = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    _apt(["download", *wanted], own=own, cwd=packages)
    for package in sorted(packages.glob("*.deb")):
        subprocess.run(["dpkg", "-x", str(package), str(CACHE)], check=True)
    shutil.rmtree(packages)
    shutil.rmtree(own)
    (CACHE / "fonts.conf").write_text(FONTS.format(root=CACHE))
    wrapper = CACHE / "run"
    wrapper.write_text(WRAPPER.format(root=CACHE))
    wrapper.chmod(0o755)


def main() -> None:
    """Say which Chromium the browser tests will use."""
    try:
        print(f"browser tests use {get()}")
    except NoBrowser as error:
        sys.exit(f"browser tests will be skipped: {error}\nTo run them: {HOW}")


if __name__ == "__main__":
    main()
