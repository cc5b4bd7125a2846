# SPDX-License-Identifier: MIT
# scenario/speakers.py - programs that say what a test wants to have said, and what stands before a line

import os

CLOCK = r"\d\d:\d\d:\d\d"
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"

# Says what it reads from the FIFO ARGV[1], as it comes; ends at its end.
ECHO = """
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
while True:
    data = os.read(fd, 65536)
    if not data:
        break
    os.write(1, data)
"""


class Pipe:
    """The other end of an ECHO's FIFO."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY)

    def say(self, text):
        data = text.encode() if isinstance(text, str) else text
        while data:
            data = data[os.write(self.fd, data):]

    def end(self):
        os.close(self.fd)
