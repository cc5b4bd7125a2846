# SPDX-License-Identifier: MIT
# meta/tree.py - what the checks share: the files of a tree, and how a fault is reported
import re
import subprocess
import sys
from pathlib import Path

SKIPPED = 77
IGNORED = {".git", "node_modules", "__pycache__"}


def tracked(root):
    """Files and links under version control or about to be; of an unpacked archive, all that no build has made."""
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0:
        names = [name.decode(errors="surrogateescape") for name in listing.stdout.split(b"\0") if name]
        return sorted(path for name in names if (path := root / name).is_file() or path.is_symlink())
    return sorted(
        path
        for path in root.rglob("*")
        if path.is_file() and not any(is_made(part) for part in path.relative_to(root).parts)
    )


def is_made(name):
    return name in IGNORED or name == "build" or name.startswith("build-")


def c_files(root, *folders):
    """The .c and .h files below @folders, sorted, without what npm brought."""
    found = []
    for folder in folders:
        found += [path for path in (root / folder).rglob("*.[ch]") if not IGNORED & set(path.parts)]
    return sorted(found)


def home_header(source):
    """The header that src/x/y.c implements: the one it includes first, of its own folder. None: there is none.

    Mostly y.h; an object that fills several files has one header, which names them.
    """
    first = re.search(r'^#include "(\w+)/([\w-]+\.h)"', source.read_text(), re.MULTILINE)
    header = source.parent / first[2] if first and first[1] == source.parent.name else None
    return header if header and header.exists() else None


def finish(faults, what):
    """Prints each fault on a line of its own and ends the check."""
    for fault in faults:
        print(fault)
    print(f"{len(faults)} faults" if faults else f"{what}: no fault")
    sys.exit(1 if faults else 0)


def skip(reason):
    print(reason)
    sys.exit(SKIPPED)


def root_from_arguments():
    return Path(sys.argv[1]).resolve()
