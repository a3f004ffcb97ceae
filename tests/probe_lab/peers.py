"""The servers of the laboratory, each with one behaviour: `peers.py CONFIG LOG`. Runs inside the host `internet`.

CONFIG is a list of {"address", "port", "behaviour", "certificate", "answer"}. Every byte that
a client sends through TLS becomes part of a JSON line in LOG, one a connection.
"""

import json
import socket
import ssl
import struct
import sys
import threading
import time

LIMIT_SECONDS = 60  # that a connection is kept open


class Log:
    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()

    def write(self, **entry):
        with self.lock, open(self.path, "a", encoding="utf-8") as out:
            out.write(json.dumps(entry, sort_keys=True) + "\n")


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def keep(connection):
    """Take what comes, say nothing."""
    while connection.recv(65536):
        pass


def drip(connection):
    """The beginning of a TLS record that never gets whole, a byte a second."""
    for byte in b"\x16\x03\x03\x40\x00" + bytes(LIMIT_SECONDS):
        connection.sendall(bytes([byte]))
        time.sleep(1)


def plain(connection, data):
    connection.recv(65536)
    connection.sendall(data)


def context_of(one):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/etc/lab/%s.pem" % one["certificate"])
    if one["behaviour"] == "tls-old":
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    elif one["behaviour"] == "tls-name-refused":
        context.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    return context


def tls(connection, one, log):
    received, shaken = b"", False
    try:
        with context_of(one).wrap_socket(connection, server_side=True) as secure:
            shaken = True
            while b"\r\n\r\n" not in received:
                data = secure.recv(65536)
                if not data:
                    return
                received += data
            if one.get("answer") == "silence":
                keep(secure)
            secure.sendall(("HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % one["answer"]).encode())
    finally:
        log.write(address=one["address"], handshake=shaken, received=received.decode("latin-1"))


def serve(connection, one, log):
    connection.settimeout(LIMIT_SECONDS)
    behaviour = one["behaviour"]
    try:
        if behaviour == "silent":
            keep(connection)
        elif behaviour == "reset":
            reset(connection)
        elif behaviour == "reset-in-handshake":
            connection.recv(65536)
            reset(connection)
        elif behaviour == "close-in-handshake":
            connection.recv(65536)
        elif behaviour == "drip":
            drip(connection)
        elif behaviour == "http":
            plain(connection, b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        else:
            tls(connection, one, log)
    except OSError:
        pass  # what the client does is its own affair
    finally:
        connection.close()


def fail_lookups(one):
    """A name server that answers every question with SERVFAIL."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((one["address"], one["port"]))
    while True:
        question, client = server.recvfrom(65536)
        server.sendto(question[:2] + b"\x81\x82" + question[4:], client)


def listen(one, log):
    if one["behaviour"] == "dns-servfail":
        fail_lookups(one)
    server = socket.socket(socket.AF_INET6 if ":" in one["address"] else socket.AF_INET)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((one["address"], one["port"]))
    server.listen(64)
    while True:
        connection, _peer = server.accept()
        threading.Thread(target=serve, args=(connection, one, log), daemon=True).start()


def main():
    with open(sys.argv[1], encoding="utf-8") as source:
        peers = json.load(source)
    log = Log(sys.argv[2])
    threads = [threading.Thread(target=listen, args=(one, log), daemon=True) for one in peers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
