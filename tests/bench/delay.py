"""A line that is long: takes connections, and hands on what is sent a moment later, each way half a round trip.

``python -m tests.bench.delay PORT TO SECONDS``: what comes for any address at PORT goes to the same address at TO. For
kernels without ``tc netem``. A connection is held back by a round trip and a half, as its three packets would be.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, late: float, begin: float) -> None:
    """Hand on what is read, ``late`` seconds later, and nothing as if it had been sent before ``begin``."""
    clock = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def read() -> None:
        data = b"."
        while data:
            try:
                data = await reader.read(1 << 16)
            except ConnectionError:
                data = b""
            await queue.put((max(clock.time(), begin) + late, data))

    reading = asyncio.ensure_future(read())
    try:
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - clock.time()))
            if not data:
                break
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except (ConnectionError, OSError):
        pass
    finally:
        reading.cancel()


async def serve(port: int, to: int, trip: float) -> None:
    """Until it is ended. ``trip`` is in seconds."""

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = asyncio.get_running_loop().time()
        address = writer.get_extra_info("sockname")[0]
        await asyncio.sleep(1.5 * trip)
        try:
            onward = await asyncio.open_connection(address, to)
        except OSError:
            writer.close()
            return
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(
                carry(reader, onward[1], trip / 2, accepted + trip), carry(onward[0], writer, trip / 2, 0.0)
            )
        for one in (writer, onward[1]):
            one.close()

    server = await asyncio.start_server(connection, "0.0.0.0", port, backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
