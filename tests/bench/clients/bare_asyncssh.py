"""A floor: the program piped by asyncssh, so many hosts at a time; host keys are checked, answers go to files."""

import asyncio
import json
import os
from pathlib import Path

import asyncssh

PROGRAM = Path(os.environ["PROGRAM"]).read_bytes()
BEGIN, END = json.loads(Path(os.environ["MARKS"]).read_text())
OUT = Path(os.environ["OUT"])
SECONDS = float(os.environ["BENCH_SECONDS"])


async def ask(address, options, room):
    """Whether a host answered."""
    async with room:
        try:
            async with asyncssh.connect(address, options=options, config=None) as connection:
                done = await connection.run(os.environ["COMMAND"], input=PROGRAM, encoding=None)
        except (OSError, asyncssh.Error) as error:
            print(address, error, flush=True)
            return False
    (OUT / address).write_bytes(done.stdout)
    return BEGIN.encode() in done.stdout and END.encode() in done.stdout


async def main():
    """Ask all."""
    home = Path.home() / ".ssh"
    options = asyncssh.SSHClientConnectionOptions(
        username=os.environ["BENCH_USER"],
        port=int(os.environ["BENCH_PORT"]),
        connect_timeout=SECONDS,
        known_hosts=asyncssh.read_known_hosts(str(home / "known_hosts")),
        config=None,
        agent_path=None,
        client_keys=[asyncssh.read_private_key(str(home / "id_ed25519"))],
    )
    room = asyncio.Semaphore(int(os.environ["FORKS"]))
    addresses = Path(os.environ["ADDRESSES"]).read_text().split()
    return all(await asyncio.gather(*(ask(one, options, room) for one in addresses)))


raise SystemExit(not asyncio.run(main()))
