"""Runs on a host, as root: authorizes another key beside a known one, or in its place.

`python3 - add|remove KNOWN ANOTHER` The keys are `TYPE BASE64`. The files are those that sshd reads for the user who
logged in. The known key's line is copied with its options; it is removed only where the other key is present. Standard
library only.
"""

import os
import pwd
import re
import subprocess
import sys
import tempfile
from pathlib import Path


def files_of(person: str) -> list[Path]:
    """The files in which sshd looks for a user's keys."""
    told = subprocess.run(
        ["/usr/sbin/sshd", "-T", "-C", f"user={person},host=localhost,addr=127.0.0.1"],
        check=True,
        capture_output=True,
        text=True,
    )
    home = pwd.getpwnam(person).pw_dir
    named = re.search("^authorizedkeysfile (.*)$", told.stdout, re.MULTILINE)
    patterns = named.group(1).split() if named else []
    words = {"%%": "%", "%h": home, "%u": person}
    paths = [re.sub("%[%hu]", lambda found: words[str(found.group())], pattern) for pattern in patterns]
    return [path for path in (Path(home, path) for path in paths) if path.is_file()]


def has(line: str, key: str) -> bool:
    return not line.lstrip().startswith("#") and f" {key} " in f" {line.strip()} "


def added(lines: list[str], known: str, another: str) -> list[str]:
    """The lines, with the other key after each line of the known one, unless it is already there."""
    if any(has(line, another) for line in lines):
        return lines
    return [new for line in lines for new in ([line, line.replace(known, another)] if has(line, known) else [line])]


def removed(lines: list[str], known: str) -> list[str]:
    return [line for line in lines if not has(line, known)]


def replace(path: Path, lines: list[str]) -> None:
    """Replace the file atomically, keeping its owner and mode."""
    before = path.stat()
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as new:
        os.fchown(new.fileno(), before.st_uid, before.st_gid)
        os.fchmod(new.fileno(), before.st_mode & 0o7777)
        new.writelines(f"{line}\n" for line in lines)
        new.flush()
        os.fsync(new.fileno())
    Path(new.name).replace(path)


def main(act: str, known: str, another: str) -> str | None:
    """Add or remove the key. Returns what is wrong, or None."""
    person = os.environ.get("SUDO_USER", "root")
    found = {path: path.read_text(encoding="utf-8").splitlines() for path in files_of(person)}
    if act == "remove" and not any(has(line, another) for lines in found.values() for line in lines):
        return "the other key is in no file, so the known one stays"
    wanted = {p: added(old, known, another) if act == "add" else removed(old, known) for p, old in found.items()}
    if act == "add" and not any(has(line, another) for lines in wanted.values() for line in lines):
        return f"the known key is in none of {', '.join(map(str, found)) or 'no file'}; add the other one by hand"
    for path, lines in wanted.items():
        if lines != found[path]:
            replace(path, lines)
    return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
