"""A floor: the program piped by parallel-ssh (libssh2 under gevent), so many hosts at a time; answers go to files.

Its client checks no host keys: here one is compared with the pinned ones before anything is sent.
"""

import base64
import json
import os
from pathlib import Path

from gevent.pool import Pool
from pssh.clients import SSHClient

PROGRAM = Path(os.environ["PROGRAM"]).read_bytes()
BEGIN, END = json.loads(Path(os.environ["MARKS"]).read_text())
OUT = Path(os.environ["OUT"])
SECONDS = float(os.environ["BENCH_SECONDS"])
KNOWN = {
    words[0]: base64.b64decode(words[2])
    for words in map(str.split, (Path.home() / ".ssh/known_hosts").read_text().splitlines())
}


class Client(SSHClient):
    """A client that knows its hosts."""

    def auth(self):
        """After the key exchange, before the login."""
        if self.session.hostkey()[0] != KNOWN[self.host]:
            raise OSError("its host key is not the pinned one")
        super().auth()


def ask(address):
    """Whether a host answered."""
    try:
        client = Client(
            address,
            user=os.environ["BENCH_USER"],
            port=int(os.environ["BENCH_PORT"]),
            timeout=SECONDS,
            pkey=str(Path.home() / ".ssh/id_ed25519"),
            allow_agent=False,
            num_retries=1,
            keepalive_seconds=0,
        )
        channel = client.open_session()
        client.eagain(channel.execute, os.environ["COMMAND"])
        client.eagain_write(channel.write, PROGRAM)
        client.eagain(channel.send_eof)
        parts = []
        while True:
            size, part = channel.read(65536)
            if size > 0:
                parts.append(part)
            elif size == 0 and channel.eof():
                break
            else:
                client.poll()
        answer = b"".join(parts)
    except Exception as error:  # those of pssh and ssh2 have no common base
        print(address, repr(error), flush=True)
        return False
    (OUT / address).write_bytes(answer)
    return BEGIN.encode() in answer and END.encode() in answer


results = list(Pool(int(os.environ["FORKS"])).imap_unordered(ask, Path(os.environ["ADDRESSES"]).read_text().split()))
raise SystemExit(not all(results))
