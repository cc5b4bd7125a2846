# SPDX-License-Identifier: MIT
# scenario/engine.py - a container engine without containers: binds ports for others, outside of their trees
"""What makes a service "outside" is that a daemon binds its port, and that its client's death changes nothing. This one
is a few threads of the test itself, in the network namespace that they were started in. How it binds is said by `how`:

    serve   like docker-proxy with a container that listens: HTTP 200
    proxy   like docker-proxy before that: accepts, and closes
    nat     not at all: whatever leads clients there is not its affair
"""

import contextlib
import os
import socket
import sys
import threading

from berthtest import SERVERS

CLIENT = os.path.join(SERVERS, "engine_client.py")


class Engine:
    def __init__(self, world):
        self.path = os.path.join(world.folder, "engine")
        self.how, self.addresses = "serve", ("0.0.0.0", "::")
        self.containers = {}  # name: (its sockets and who accepts at them, what says that it is gone)
        self.calls = []  # (verb, name, ...), in the order in which they came
        self.removing = 0
        self.removing_most = 0  # how many at the same time
        self.may_bind = threading.Event()
        self.may_remove = threading.Event()
        self.may_unbind = threading.Event()
        for event in (self.may_bind, self.may_remove, self.may_unbind):
            event.set()
        self.lock = threading.Lock()
        self.ended = False
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen(64)
        os.chmod(self.path, 0o777)
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    # What a test says of it

    def run(self, *ports):
        """The command of a service."""
        return [sys.executable, "-I", "-S", CLIENT, self.path, "run", "{id}", *(ports or ("{port}",))]

    @property
    def stop(self):
        return f"exec {sys.executable} -I -S {CLIENT} {self.path} rm {{id}}"

    def removals(self, name=None):
        return [call[1] for call in self.calls if call[0] == "rm" and name in (None, call[1])]

    def runs(self):
        return [call[1] for call in self.calls if call[0] == "run"]

    def close(self):
        self.ended = True
        for event in (self.may_bind, self.may_remove, self.may_unbind):
            event.set()
        # A thread that is left in accept() would hold the socket, and after a signal take the number for the next one's.
        self.server.shutdown(socket.SHUT_RDWR)
        self.accepting.join()
        self.server.close()
        for name in list(self.containers):
            self._unbind(self.containers.pop(name))

    # What it does

    def _accept(self):
        while not self.ended:
            try:
                client = self.server.accept()[0]
            except OSError:
                if self.ended:
                    return
                raise
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client):
        with client, contextlib.suppress(OSError):
            words = client.makefile().readline().split()
            with self.lock:
                self.calls.append(tuple(words))
            if words[0] == "run":
                self._run(client, words[1], [int(word) for word in words[2:]])
            else:
                self._remove(words[1])
                client.sendall(b"ok removed\n")

    def _run(self, client, name, ports):
        self.may_bind.wait()
        gone = threading.Event()
        try:
            sockets = [] if self.how == "nat" else [self._bind(address, port) for port in ports for address in self.addresses]
        except OSError as error:
            client.sendall(f"error: {error}\n".encode())
            return
        doors = [(sock, threading.Thread(target=self._serve, args=(sock,), daemon=True)) for sock in sockets]
        for _, thread in doors:
            thread.start()
        with self.lock:
            self.containers[name] = doors, gone
        client.sendall(b"ok running\n")
        gone.wait()
        client.sendall(b"gone\n")

    def _remove(self, name):
        with self.lock:
            self.removing += 1
            self.removing_most = max(self.removing_most, self.removing)
        self.may_remove.wait()
        with self.lock:
            container = self.containers.pop(name, None)
            self.removing -= 1
        if not container:
            return
        container[1].set()
        if self.may_unbind.is_set():
            self._unbind(container)
        else:
            threading.Thread(target=lambda: (self.may_unbind.wait(), self._unbind(container)), daemon=True).start()

    @staticmethod
    def _bind(address, port):
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ":" in address:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            sock.bind((address, port))
            sock.listen(64)
        except OSError:
            sock.close()
            raise
        return sock

    @staticmethod
    def _unbind(container):
        for sock, thread in container[0]:
            # accept() holds the socket, and with it the port, until it has returned.
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            thread.join()
            sock.close()

    def _serve(self, sock):
        while True:
            try:
                client = sock.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve_one, args=(client,), daemon=True).start()

    def _serve_one(self, client):
        with client, contextlib.suppress(OSError):
            if self.how == "proxy":
                return
            if client.recv(4096):
                client.sendall(b"HTTP/1.0 200 OK\r\n\r\noutside\n")
