# SPDX-License-Identifier: MIT
# servers/engine_client.py - what `docker` is to Docker's daemon, to the engine of scenario/engine.py
"""engine_client.py SOCKET run NAME PORT...   until NAME is removed: exit 0; refused: exit 125
engine_client.py SOCKET rm NAME            when that is done"""

import socket
import sys

with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(sys.argv[1])
    sock.sendall((" ".join(sys.argv[2:]) + "\n").encode())
    lines = sock.makefile()
    said = lines.readline().strip()
    print(said, flush=True)
    if not said.startswith("ok"):
        sys.exit(125)
    if sys.argv[2] == "run":
        lines.readline()
