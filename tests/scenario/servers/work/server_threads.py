# SPDX-License-Identifier: MIT
# servers/work/server_threads.py - the server of work/README with http.server, a thread for each connection
import http.server
import json
import os
import signal
import sys
import threading
import time


def number(name):
    return int(os.environ.get(name) or 0)


def burn():
    value = 1
    for _ in range(15000):
        value = (value * 1664525 + 1013904223) & 0xFFFFFFFF
    return value


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/busy":
            burn()
        if self.path == "/slow":
            time.sleep(0.3)
        text = json.dumps({
            "server": "threads", "pid": os.getpid(), "worker": number("BERTH_WORKER"),
            "instance": number("BERTH_INSTANCE"), "port": self.server.server_address[1],
            "say": sys.argv[1] if len(sys.argv) > 1 else "",
        }, separators=(",", ":")).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # server_close() waits for them


time.sleep(number("START_DELAY_MS") / 1000)
server = Server(("0.0.0.0", number("PORT") or 5000), Handler)
# shutdown() waits for the loop, which runs in the thread that handles signals
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(0.05)
server.server_close()
