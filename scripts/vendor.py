"""Fetches the browser libraries into static/vendor; writes manifest.json: name, version, licence, sha512 of each file.

    python scripts/vendor.py            fetch again what PACKAGES and ICONS name (needs npm)
    python scripts/vendor.py --check    compare the files with the manifest; changes nothing

The fetched files are part of the repository: neither a hub nor its tests ever need npm.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"
MANIFEST = VENDOR / "manifest.json"
TEMPLATES = VENDOR.parent.parent / "templates"
ICON_TAG = re.compile(r'{% icon "([a-z0-9-]+)"')


@dataclass(frozen=True)
class Package:
    """One npm package: `files` maps a path inside the package to its place below static/vendor."""

    name: str
    version: str
    licence: str
    files: dict[str, str]


PACKAGES = (
    Package(
        "bootstrap",
        "5.3.9",
        "MIT",
        {"dist/css/bootstrap.min.css": "bootstrap/bootstrap.min.css", "LICENSE": "bootstrap/LICENSE"},
    ),
    Package("htmx.org", "2.0.11", "0BSD", {"dist/htmx.min.js": "htmx/htmx.min.js", "LICENSE": "htmx/LICENSE"}),
    Package("bootstrap-icons", "1.13.2", "MIT", {"LICENSE": "bootstrap-icons/LICENSE"}),
)
# Icons that no template names literally: navigation, message levels, outcomes.
ICONS = (
    "arrow-left-right",
    "box-arrow-up-right",
    "building",
    "check-circle",
    "exclamation-triangle",
    "hourglass-split",
    "house",
    "info-circle",
    "people",
    "person",
    "person-gear",
    "plug",
    "shield-exclamation",
    "upload",
    "x-circle",
    "braces",
)


def icons() -> list[str]:
    """Every icon the templates name, and the ones named in code."""
    named = {name for page in TEMPLATES.rglob("*.html") for name in ICON_TAG.findall(page.read_text())}
    return sorted(named | set(ICONS))


def sprite(folder: Path, names: list[str]) -> str:
    """One SVG with a symbol per icon, so that a page fetches them together and each follows the text's colour."""
    symbols = []
    for name in names:
        svg = (folder / "icons" / f"{name}.svg").read_text()
        box = re.search(r'viewBox="([^"]+)"', svg)
        body = re.search(r"<svg[^>]*>(.*)</svg>", svg, re.DOTALL)
        if box is None or body is None:
            raise SystemExit(f"{name}.svg has another form than expected")
        inner = " ".join(body[1].split())
        symbols.append(f'<symbol id="{name}" viewBox="{box[1]}" fill="currentColor">{inner}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def digest(content: bytes) -> str:
    return hashlib.sha512(content).hexdigest()


def fetch(package: Package, into: Path) -> tuple[Path, str]:
    """Unpacks the package; returns its folder and the sha512 of what was fetched."""
    told = subprocess.run(
        ["npm", "pack", f"{package.name}@{package.version}", "--json", "--silent"],
        cwd=into,
        check=True,
        capture_output=True,
        text=True,
    )
    archive = into / json.loads(told.stdout)[0]["filename"]
    folder = into / package.name
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / "package", digest(archive.read_bytes())


def vendor() -> None:
    """Writes every file and the manifest anew."""
    entries = []
    with tempfile.TemporaryDirectory() as temporary:
        for package in PACKAGES:
            folder, archive = fetch(package, Path(temporary))
            contents = {place: (folder / path).read_bytes() for path, place in package.files.items()}
            if package.name == "bootstrap-icons":
                contents["bootstrap-icons/sprite.svg"] = sprite(folder, icons()).encode()
            files = {place: _write(place, content) for place, content in contents.items()}
            entries.append(
                {
                    "name": package.name,
                    "version": package.version,
                    "licence": package.licence,
                    "archive_sha512": archive,
                    "files": files,
                }
            )
    MANIFEST.write_text(json.dumps(entries, indent=1) + "\n")


def _write(place: str, content: bytes) -> str:
    # A source map that is not shipped would make the hashed static storage fail.
    content = re.sub(rb"\n?/[*/]# sourceMappingURL=.*", b"", content)
    target = VENDOR / place
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return digest(content)


def faults() -> list[str]:
    """What differs between the manifest and the files, in sentences; empty when all is well."""
    told = {place: sha for entry in json.loads(MANIFEST.read_text()) for place, sha in entry["files"].items()}
    found = {str(path.relative_to(VENDOR)): path for path in VENDOR.rglob("*") if path.is_file() and path != MANIFEST}
    wrong = [f"{place} stands in the manifest but is not there" for place in told.keys() - found.keys()]
    wrong += [f"{place} is not in the manifest" for place in found.keys() - told.keys()]
    wrong += [f"{p} was changed" for p in told.keys() & found.keys() if digest(found[p].read_bytes()) != told[p]]
    drawn = set(re.findall(r'<symbol id="([^"]+)"', (VENDOR / "bootstrap-icons" / "sprite.svg").read_text()))
    return sorted(wrong) + [f"icon {name} is used but not in the sprite" for name in icons() if name not in drawn]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare the files with the manifest")
    if not parser.parse_args().check:
        vendor()
    wrong = faults()
    sys.stdout.write("\n".join(wrong) + "\n" if wrong else "static/vendor agrees with its manifest\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
