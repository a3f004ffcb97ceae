"""api.segment.io of the fleet: a TLS server that answers every event with success and writes down who sent it.

Runs inside the host `segment` as a systemd service. Each event becomes one JSON line with the time it came in, the
host it came from (by its source address) and what it said.
"""

import json
import os
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SETTINGS = "/etc/segment"  # segment.pem, segment.key, hosts.json: {address: host name}
EVENTS = "/var/lib/segment/events.jsonl"
KEEP = 8 << 20  # the log lies in memory: after this many bytes it becomes events.jsonl.1, and the older one goes


class Log:
    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        os.makedirs(os.path.dirname(path), exist_ok=True)

    def write(self, event):
        with self.lock:
            with open(self.path, "a", encoding="utf-8") as out:
                out.write(json.dumps(event, sort_keys=True) + "\n")
                size = out.tell()
            if size > KEEP:
                os.replace(self.path, self.path + ".1")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # senders keep their connection: a handshake per event would cost too much
    timeout = 30

    def setup(self):
        # The handshake happens here, in the connection's own thread: a client that connects and says nothing
        # must not keep the others out.
        self.request.settimeout(self.timeout)
        self.request.do_handshake()
        super().setup()

    def answer(self, document):
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        self.answer({"service": "api.segment.io of the test fleet"})

    do_HEAD = do_GET

    def do_POST(self):
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 1 << 20))
        if self.path == "/v1/batch":
            address = self.client_address[0]
            try:
                batch = json.loads(body)["batch"]
            except (ValueError, KeyError, TypeError):
                batch = [{"unreadable": True}]
            for event in batch:
                self.server.log.write(
                    {
                        "time": time.time(),
                        "address": address,
                        "host": self.server.hosts.get(address, address),
                        "event": event,
                    }
                )
        self.answer({"success": True})

    def log_message(self, *_):
        pass  # the event log is the log


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # a client that goes away is no news


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SETTINGS + "/segment.pem", SETTINGS + "/segment.key")
    server = Server(("", 443), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.log = Log(EVENTS)
    with open(SETTINGS + "/hosts.json", encoding="utf-8") as source:
        server.hosts = json.load(source)
    server.serve_forever()


if __name__ == "__main__":
    main()
