# SPDX-License-Identifier: MIT
# servers/lives.py - a program that does something else in each of its lives
"""Usage: lives.py FOLDER

Its N-th life follows the file FOLDER/N, or the last one there is below. FOLDER/pids tells the pids of all lives. Steps,
one a line:

    bind PLACE WORD     a socket for PLACE ([ADDRESS:]PORT, "6only:" before it: IPV6_V6ONLY); clients are answered WORD
    dup PLACE WORD      the same, and before bind() it has the socket under a second number
    listen [N]          on all that is bound and does not listen yet; N clients may wait (64)
    close               what was bound last
    wait FIFO           until somebody opens FIFO for writing, and closes it
    child FOLDER        run another lives.py; it is started anew whenever it has ended
    later FIFO          with child: first wait for FIFO each time it has ended
    drain FIFO          at SIGTERM close all listeners, then wait for FIFO, then end with 0
    say TEXT            a line of output
    exit N   kill       the end, by itself or by SIGKILL

After the last step it serves.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys


class Life:
    def __init__(self, folder):
        self.folder = folder
        with open(os.path.join(folder, "pids"), "a+", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
            file.flush()
            file.seek(0)
            self.number = len(file.read().split())
        self.places = []  # (socket, word), in the order of their bind()
        self.copies = []
        self.listening = set()
        self.later = None

    def steps(self):
        for number in range(self.number, 0, -1):
            path = os.path.join(self.folder, str(number))
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    return [line.split(maxsplit=1) for line in file.read().splitlines()]
        return []

    def bind(self, text, copy=False):
        place, _, word = text.partition(" ")
        only = place.startswith("6only:")
        host, _, port = place.removeprefix("6only:").rpartition(":")
        host = host.strip("[]") or "0.0.0.0"
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if copy:
            self.copies.append(os.dup(sock.fileno()))
        if ":" in host:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, int(port)))
        self.places.append((sock, word))

    def dup(self, text):
        self.bind(text, copy=True)

    def listen(self, backlog="64"):
        for sock, _ in self.places:
            if sock not in self.listening:
                sock.listen(int(backlog))
                self.listening.add(sock)

    def close(self):
        sock, _ = self.places.pop()
        sock.close()

    def wait(self, fifo):
        with open(fifo, "rb") as file:
            file.read()

    def child(self, folder):
        if os.fork():
            return
        while True:
            subprocess.run([sys.executable, __file__, folder], check=False)
            if self.later:
                self.wait(self.later)

    def drain(self, fifo):
        def on_term(*_):
            for sock, _ in self.places:
                sock.close()
            print("draining", flush=True)
            self.wait(fifo)
            os._exit(0)
        signal.signal(signal.SIGTERM, on_term)

    def say(self, text):
        print(text, flush=True)

    def exit(self, code):
        os._exit(int(code))

    def kill(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def answer(self, sock, word):
        client, _ = sock.accept()
        client.settimeout(5)
        request = b""
        while b"\r\n\r\n" not in request:
            part = client.recv(4096)
            if not part:
                break
            request += part
        said = {"server": "lives", "pid": os.getpid(), "life": self.number, "say": word,
                "port": client.getsockname()[1], "greeting": os.environ.get("GREETING", "")}
        client.sendall(b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n" +
                       json.dumps(said, separators=(",", ":")).encode() + b"\n")
        client.close()

    def serve(self):
        with selectors.DefaultSelector() as selector:
            for sock, word in self.places:
                selector.register(sock, selectors.EVENT_READ, word)
            while True:
                for key, _ in selector.select():
                    try:
                        self.answer(key.fileobj, key.data)
                    except OSError:
                        pass  # a client that has gone


def main():
    life = Life(sys.argv[1])
    for name, *argument in life.steps():
        if name == "later":
            life.later = argument[0]
        else:
            getattr(life, name)(*argument)
    if life.places:
        life.serve()
    while True:
        signal.pause()


main()
