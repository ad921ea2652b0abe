"""Runs on a host, as root: reports the size of folders, and changes nothing.

`python3 - FOLDER...` Prints a line of JSON for each folder that exists: its path, files, bytes, and the newest change,
in seconds since 1970. Symbolic links are not followed. Standard library only.
"""

import json
import os
import sys


def weighed(folder: str) -> "dict[str, object]":
    files, size, newest = 0, 0, os.lstat(folder).st_mtime
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.lstat(os.path.join(parent, name))  # noqa: PTH118 - names may be no text
            except OSError:
                continue  # removed meanwhile
            files, size, newest = files + 1, size + status.st_size, max(newest, status.st_mtime)
    return {"path": folder, "files": files, "bytes": size, "changed": newest}


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        if os.path.isdir(folder) and not os.path.islink(folder):  # noqa: PTH112, PTH114
            print(json.dumps(weighed(folder)))  # noqa: T201 - what it is for
