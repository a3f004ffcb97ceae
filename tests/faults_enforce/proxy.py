"""In the fleet's network: a controller's URL, with steps at which the harness can hold a request.

``proxy.py ADDRESS`` reads lines "PORT CONTROLLER'S-ADDRESS:PORT FOLDER" on standard input, and serves until it closes.
"""

import http.client
import http.server
import sys
import threading
import time

from hook import reached

STEPS = {
    "/quietDown": "quiet",
    "/cancelQuietDown": "cancel",
    "/computer/api/json": "builds",
    "/whoAmI/api/json": "ready",
}


def handler(address, folder):
    """What answers for one controller."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            step = STEPS.get(self.path.partition("?")[0])
            if step:
                reached(step, folder)
            try:
                upstream = http.client.HTTPConnection(address, timeout=20)
                headers = {name: value for name, value in self.headers.items() if name == "Authorization"}
                upstream.request(self.command, self.path, headers=headers)
                answer = upstream.getresponse()
                status, body = answer.status, answer.read()
                upstream.close()
            except (OSError, http.client.HTTPException):
                self.close_connection = True
                return  # as a controller that is down: no answer
            if step in ("quiet", "cancel"):
                reached(step + ".done", folder)
            self.send_response(status)
            for name in ("Content-Type", "Location"):
                if answer.getheader(name):
                    self.send_header(name, answer.getheader(name))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_arguments):
            pass

    return Handler


class Server(http.server.ThreadingHTTPServer):
    """Quiet about clients that were killed."""

    daemon_threads = True

    def handle_error(self, *_arguments):
        pass


def main():
    """Serve them all."""
    for line in sys.stdin:
        port, address, folder = line.split()
        server = Server((sys.argv[1], int(port)), handler(address, folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print("ready", flush=True)
    time.sleep(0.1)


if __name__ == "__main__":
    main()
