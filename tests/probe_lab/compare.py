"""What other tools say of the same cases. Runs inside the host `node`: `compare.py SECONDS`, cases as JSON on stdin.

Cases are [name, host, prefix]; the prefix breaks the host for one program, as for the probe.
"""

import json
import re
import subprocess
import sys
import time
import urllib.parse

EXPORTER = "127.0.0.1:9115"
CONFIGURATION = """modules:
  tcp_tls:
    prober: tcp
    timeout: {seconds}s
    tcp: {{tls: true, preferred_ip_protocol: ip4}}
"""


def run(prefix, command, seconds):
    """Output, exit code and seconds of a shell command."""
    started = time.monotonic()
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", prefix + command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds + 30,
        check=False,
    )
    return done.stdout.decode("utf-8", "replace"), done.returncode, time.monotonic() - started


def last(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def nc(prefix, host, seconds):
    text, code, took = run(prefix, "nc -zv -w %d %s 443" % (seconds, host), seconds)
    return {"says": last(text) or "nothing", "success": code == 0, "seconds": took}


def curl(prefix, host, seconds):
    text, code, took = run(prefix, "curl -v -sS -I -m %d https://%s/" % (seconds, host), seconds)
    errors = [line for line in text.splitlines() if line.startswith("curl: ")]
    answers = [line for line in text.splitlines() if line.startswith("HTTP/")]
    return {"says": (errors or answers or ["nothing"])[-1], "success": code == 0, "seconds": took}


def blackbox(host, seconds):
    started = time.monotonic()
    query = urllib.parse.urlencode({"module": "tcp_tls", "target": host + ":443"})
    done = subprocess.run(
        ["curl", "-sS", "-m", str(seconds + 10), "http://%s/probe?%s" % (EXPORTER, query)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    text = done.stdout.decode()
    success = re.search(r"^probe_success 1$", text, re.M) is not None
    lookup = re.search(r"^probe_dns_lookup_time_seconds (\S+)$", text, re.M)
    return {
        "says": "probe_success %d, dns %s s" % (success, "%.3f" % float(lookup.group(1)) if lookup else "-"),
        "success": success,
        "seconds": time.monotonic() - started,
    }


def main():
    seconds = int(sys.argv[1])
    with open("/tmp/blackbox.yml", "w") as out:
        out.write(CONFIGURATION.format(seconds=seconds))
    exporter = subprocess.Popen(
        ["prometheus-blackbox-exporter", "--config.file=/tmp/blackbox.yml", "--web.listen-address=" + EXPORTER],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _attempt in range(100):
            if (
                subprocess.run(
                    ["curl", "-s", "-o", "/dev/null", "http://%s/-/healthy" % EXPORTER], check=False
                ).returncode
                == 0
            ):
                break
            time.sleep(0.1)
        found = {}
        for name, host, prefix in json.load(sys.stdin):
            found[name] = {"nc": nc(prefix, host, seconds), "curl": curl(prefix, host, seconds)}
            if not prefix:  # it is a daemon: it cannot be put into a broken place of its own
                found[name]["blackbox"] = blackbox(host, seconds)
        json.dump(found, sys.stdout)
    finally:
        exporter.terminate()
        exporter.wait()


if __name__ == "__main__":
    main()
