#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write a C header with the text of files in it.

usage: embed.py OUTPUT NAME=FILE...

Each FILE becomes `static const char NAME[]`, one string literal a line. It must be UTF-8 text.
"""

import pathlib
import re
import sys


def literal(line):
    """The line as a C string literal. Bytes beyond ASCII stay: the compiler takes UTF-8."""
    escaped = line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("\n", "\\n")
    return f'\t"{escaped}"'


def embed(name, path):
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        sys.exit(f"embed.py: '{name}' is not a C name")
    text = path.read_text(encoding="utf-8")
    bad = re.search(r"[\x00-\x08\x0b-\x1f\x7f]|\?\?", text)
    if bad:
        sys.exit(f"embed.py: {path}: {bad.group()!r} cannot stand in a C string")
    lines = "\n".join(literal(line) for line in text.splitlines(keepends=True))
    return f"/* {path.name} */\nstatic const char {name}[] =\n{lines};\n"


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__.strip())
    parts = [embed(name, pathlib.Path(path)) for name, path in (arg.split("=", 1) for arg in sys.argv[2:])]
    pathlib.Path(sys.argv[1]).write_text("#pragma once\n\n" + "\n".join(parts), encoding="utf-8")


main()
