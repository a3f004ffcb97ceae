"""A floor: the program piped by paramiko, a thread for each of so many hosts; keys are checked, answers go to files."""

import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko

PROGRAM = Path(os.environ["PROGRAM"]).read_bytes()
BEGIN, END = json.loads(Path(os.environ["MARKS"]).read_text())
OUT = Path(os.environ["OUT"])
SECONDS = float(os.environ["BENCH_SECONDS"])
KEYS = paramiko.HostKeys(str(Path.home() / ".ssh/known_hosts"))
KEY = paramiko.Ed25519Key.from_private_key_file(str(Path.home() / ".ssh/id_ed25519"))


def ask(address):
    """Whether a host answered."""
    try:
        with socket.create_connection((address, int(os.environ["BENCH_PORT"])), SECONDS) as connection:
            transport = paramiko.Transport(connection)
            transport.start_client(timeout=SECONDS)
            if not KEYS.check(address, transport.get_remote_server_key()):
                raise paramiko.SSHException("its host key is not the pinned one")
            transport.auth_publickey(os.environ["BENCH_USER"], KEY)
            channel = transport.open_session()
            channel.exec_command(os.environ["COMMAND"])
            channel.sendall(PROGRAM)
            channel.shutdown_write()
            answer = channel.makefile("rb").read()
            transport.close()
    except (OSError, EOFError, paramiko.SSHException) as error:
        print(address, error, flush=True)
        return False
    (OUT / address).write_bytes(answer)
    return BEGIN.encode() in answer and END.encode() in answer


with ThreadPoolExecutor(int(os.environ["FORKS"])) as pool:
    results = list(pool.map(ask, Path(os.environ["ADDRESSES"]).read_text().split()))
raise SystemExit(not all(results))
