#!/usr/bin/env python3
"""Resident bytes per idle keep-alive connection of a proxy that compare.sh started: idle.py PID PORT"""
import asyncio
import sys

COUNT = 4000


def resident(pid):
    return next(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS"))


async def connect(port, gate):
    async with gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: idle\r\nAccept: */*\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head, head
        await reader.readexactly(100)
        return reader, writer


async def measure(pid, port):
    gate = asyncio.Semaphore(64)
    warm = [await connect(port, gate) for _ in range(50)]
    before = resident(pid)
    idle = await asyncio.gather(*[connect(port, gate) for _ in range(COUNT)])
    await asyncio.sleep(2.5)
    after = resident(pid)
    for _, writer in warm + idle:
        writer.close()
    print(round((after - before) * 1024 / COUNT))


asyncio.run(measure(*map(int, sys.argv[1:])))
