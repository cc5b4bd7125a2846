# SPDX-License-Identifier: MIT
# servers/web.py - a web server that does one thing wrong, or none
"""usage: web.py ADDRESS:PORT... HOW

HOW: "right" allows the origins of BERTH_CORS_ORIGINS as it should; "none" knows nothing of CORS; "star", "credentials"
(a wildcard with them), "anybody" (whoever asks, with credentials), "no-preflight", "twice"; "tls CERTIFICATE"; "polite",
which says in HTTP that it wants TLS, and refuses a handshake; not HTTP: "banner" talks by itself, "close" and "silent" say
nothing.
"""

import http.server
import os
import socket
import ssl
import sys
import threading


def origins():
    return os.environ.get("BERTH_CORS_ORIGINS", "").replace(",", " ").split()


class Handler(http.server.BaseHTTPRequestHandler):
    how = "right"

    def allow(self):
        origin = self.headers.get("Origin")
        if self.how == "star" or self.how == "credentials":
            self.send_header("Access-Control-Allow-Origin", "*")
        elif self.how == "anybody" and origin:
            self.send_header("access-control-allow-origin", origin)
        elif self.how == "twice":
            for one in origins():
                self.send_header("Access-Control-Allow-Origin", one)
        elif self.how in ("right", "no-preflight") and origin in origins():
            self.send_header("Access-Control-Allow-Origin", origin)
            self.send_header("Vary", "Accept-Encoding, Origin")
        if self.how in ("right", "credentials", "anybody"):
            self.send_header("Access-Control-Allow-Credentials", "true")
        self.send_header("Access-Control-Allow-Headers", "Authorization, Content-Type")

    def do_GET(self):
        self.send_response(200)
        if self.how != "none":
            self.allow()
        self.end_headers()
        self.wfile.write(b"hello\n")

    def do_OPTIONS(self):
        if self.how in ("none", "no-preflight"):
            self.send_error(404)
            return
        self.send_response(204)
        self.allow()
        self.end_headers()

    def log_message(self, *_):
        pass


def talk(listener, how):
    kept = []
    while True:
        connection = listener.accept()[0]
        if how == "banner":
            connection.sendall(b"220 \x1b[31mready\x00\r\n")
        if how == "polite":
            wants_tls = connection.recv(4096)[:1] == b"\x16"
            connection.sendall(b"\x15\x03\x03\x00\x02\x02\x28" if wants_tls else b"HTTP/1.1 400 Bad Request\r\n\r\n")
        if how == "silent":
            kept.append(connection)
        else:
            connection.close()


def listen(place):
    address, _, port = place.rpartition(":")
    address = address.strip("[]")
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if ":" in address:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((address, int(port)))
    listener.listen(64)
    return listener


def serve(listener, how, certificate):
    if how in ("banner", "close", "polite", "silent"):
        talk(listener, how)
    server = http.server.ThreadingHTTPServer(("", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.server_name, server.server_port = "localhost", listener.getsockname()[1]
    if how == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(listener, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


def main():
    places = [word for word in sys.argv[1:] if ":" in word]
    how, *rest = [word for word in sys.argv[1:] if ":" not in word]
    Handler.how = how
    for listener in [listen(place) for place in places]:
        threading.Thread(target=serve, args=(listener, how, *(rest or [None])[:1])).start()


main()
