"""Waits, inside the hub's network, until every host answers: `ready.py SECONDS CA`, hosts as JSON on stdin.

Prints {host: what it still lacks} for those that did not make it in time, so {} is good news.
"""

import json
import socket
import ssl
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor


def ssh(host):
    with socket.create_connection((host["address"], 22), 1) as connection:
        connection.settimeout(3)
        if connection.recv(4) != b"SSH-":
            raise OSError("no greeting")


def web(host):
    """/login is 503 while the product starts, as the real one's is."""
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        "http://%s:%d/login" % (host["address"], host["port"]), timeout=3
    ).close()


def segment(host, authority):
    context = ssl.create_default_context(cafile=authority)
    with socket.create_connection((host["address"], 443), 1) as connection:
        connection.settimeout(3)
        context.wrap_socket(connection, server_hostname="api.segment.io").close()


def wait(host, end, authority):
    checks = [("ssh", ssh), ("its JVM", web)]
    if host["kind"] == "segment":
        checks = [("ssh", ssh), ("its TLS server", lambda one: segment(one, authority))]
    elif not host["product"]:
        checks = [("ssh", ssh)]
    for what, check in checks:
        while True:
            try:
                check(host)
                break
            except OSError as error:  # URLError and ssl.SSLError are OSErrors
                if time.monotonic() > end:
                    return "%s does not answer (%s)" % (what, error)
                time.sleep(0.1)
    return None


def main():
    end = time.monotonic() + float(sys.argv[1])
    hosts = json.load(sys.stdin)
    with ThreadPoolExecutor(len(hosts)) as pool:
        results = list(pool.map(lambda host: wait(host, end, sys.argv[2]), hosts))
    json.dump({host["name"]: lack for host, lack in zip(hosts, results) if lack}, sys.stdout)


if __name__ == "__main__":
    main()
