"""Lists the licences of an installation, of its bill of materials, and refuses one that nobody has looked at.

python -m tests.licences SBOM.json LIST.md
"""

import json
import sys
from pathlib import Path
from typing import Any

KNOWN = {
    "0BSD", "Apache-2.0", "Apache Software License", "BSD-2-Clause", "BSD-3-Clause", "BSD License", "ISC", "LGPL-2.1",
    "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Python-2.0", "Unlicense",
}  # fmt: skip
"""Licences under which a package may be imported and handed on with our own code, Apache-2.0."""
COPYLEFT = {"ansible-core": "GPL-3.0-or-later"}
"""Packages of which only what they allow may be done: this one is run, as a program, and imported by the worker."""


def licences(component: dict[str, Any]) -> list[str]:
    """The expressions, identifiers or names that a component gives for its licences."""
    told = [one.get("license", one) for one in component.get("licenses", ())]
    found = [one.get("expression") or one.get("id") or one.get("name") for one in told]
    return sorted({str(licence).rpartition(" :: ")[2] for licence in found})


def known(licence: str) -> bool:
    """Whether all that must be kept to has been looked at: of `A OR B` one, of `A AND B` both."""
    return any(all(part in KNOWN for part in choice.split(" AND ")) for choice in licence.split(" OR "))


def main(sbom: Path, listing: Path) -> int:
    """Write the list; return 1 when a licence is missing or unknown."""
    components = sorted(json.loads(sbom.read_text())["components"], key=lambda one: one["name"].lower())
    rows = [(one["name"], one["version"], licences(one)) for one in components]
    lines = [f"| {name} | {version} | {', '.join(found)} |" for name, version, found in rows]
    listing.write_text("\n".join(["| package | version | licence |", "|---|---|---|", *lines, ""]))
    wrong = [
        f"{name}: {', '.join(found) or 'no licence'}"
        for name, _, found in rows
        if COPYLEFT.get(name) not in found and not any(map(known, found))
    ]
    sys.stderr.writelines(f"{line}\n" for line in wrong)
    sys.stdout.write(f"{len(rows)} packages: {sbom}, {listing}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
