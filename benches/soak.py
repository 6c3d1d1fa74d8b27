#!/usr/bin/env python3
"""Mixed load for a long time: servers die and return, clients abort, dribble and read slowly, servers are disabled and
enabled over the socket. In the end memory must be flat, no descriptor left behind, and every error explained.

usage: soak.py PROGRAM-CALLED-HAPROXY [SECONDS=1200] [CLIENTS=40] [SEED]"""
import asyncio
import contextlib
import logging
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time

BIG = 1_000_000
SERVERS = 4
# After a server was killed (or while it is away), requests to it may fail: checks need this long to notice.
AFTERMATH = 4.0


async def origin(port):
    """A server of ours: small, large, chunked, slow answers; POST is answered with the length of its body."""
    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                line, *fields = head.decode("latin1").split("\r\n")
                names = dict(f.lower().split(": ", 1) for f in fields if ": " in f)
                path = line.split(" ")[1]
                length = int(names.get("content-length", 0))
                if length:
                    await reader.readexactly(length)
                elif "chunked" in names.get("transfer-encoding", ""):
                    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
                        await reader.readexactly(size + 2)
                        length += size
                    await reader.readuntil(b"\r\n")
                if path == "/slow":
                    await asyncio.sleep(0.2)
                if path == "/chunked":
                    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    for _ in range(20):
                        writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
                    writer.write(b"0\r\n\r\n")
                else:
                    body = b"x" * BIG if path == "/big" else str(length).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


def config(directory, base):
    servers = lambda check: "\n".join(
        f"  server s{i} 127.0.0.1:{base + 10 + i} maxconn 60 {check}" for i in range(SERVERS))
    return f"""
global
  maxconn 1000
  nbthread 2
  stats socket {directory}/sock mode 600 level admin
defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 10s
  timeout queue 5s
  retries 3
  option redispatch 1
  retry-on conn-failure empty-response
  default-server inter 300ms fall 2 rise 1
frontend web
  bind 127.0.0.1:{base}
  option forwardfor
  use_backend sticky if {{ path_beg /sticky }}
  default_backend app
backend app
  balance leastconn
  http-reuse always
  option httpchk GET /
{servers('check')}
backend sticky
  cookie SRV insert indirect nocache
  option http-server-close
  option httpchk GET /
{servers('check cookie c')}
listen raw
  mode tcp
  bind 127.0.0.1:{base + 1}
  balance roundrobin
{servers('check')}
"""


class Soak:
    def __init__(self, program, directory, base, seed):
        self.program, self.directory, self.base = program, directory, base
        self.random = random.Random(seed)
        self.origins = {}
        self.deaths = {i: 0.0 for i in range(SERVERS)}  # last time each server was dead
        self.counts, self.unexplained, self.samples = {}, [], []
        self.over = asyncio.Event()

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def start_origin(self, i):
        self.origins[i] = subprocess.Popen([sys.executable, __file__, "origin", str(self.base + 10 + i)])

    async def ask(self, line):
        reader, writer = await asyncio.open_unix_connection(f"{self.directory}/sock")
        writer.write(line.encode() + b"\n")
        answer = await reader.read(-1)
        writer.close()
        return answer.decode()

    def failed(self, what, since):
        """An error is explained by a server that was dead since shortly before the request began."""
        if any(since - AFTERMATH < death for death in self.deaths.values()):
            self.count("errors while a server died")
        else:
            self.unexplained.append(f"{time.strftime('%H:%M:%S')} {what}")

    async def request(self, reader, writer, method, path, body=None):
        head = f"{method} {path} HTTP/1.1\r\nHost: soak\r\n"
        if body is None:
            writer.write((head + "\r\n").encode())
        elif self.random.random() < 0.5:
            writer.write((head + f"Content-Length: {len(body)}\r\n\r\n").encode() + body)
        else:
            writer.write((head + "Transfer-Encoding: chunked\r\n\r\n").encode())
            for at in range(0, len(body), 5000):
                piece = body[at:at + 5000]
                writer.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return await self.response(reader)

    async def response(self, reader):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").lower()
        status = int(head.split(" ")[1])
        if "transfer-encoding: chunked" in head:
            got = b""
            while size := int(await reader.readuntil(b"\r\n"), 16):
                got += (await reader.readexactly(size + 2))[:-2]
            await reader.readuntil(b"\r\n")
        elif "content-length: " in head:
            got = await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
        else:
            got = await reader.read(-1)
        return status, got, "connection: close" in head

    async def polite(self):
        """A client that does everything right: whatever goes wrong is the proxy's or a dead server's fault."""
        r = self.random
        while not self.over.is_set():
            since = time.monotonic()
            with contextlib.suppress(Exception):
                port = self.base + (r.random() < 0.15)
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 21)
                    for _ in range(r.choice([1, 1, 5, 30])):
                        since = time.monotonic()
                        path = r.choice(["/", "/", "/", "/sticky", "/chunked", "/big", "/slow"])
                        body = b"y" * r.choice([10, 1000, 60_000]) if r.random() < 0.2 else None
                        status, got, closes = await asyncio.wait_for(
                            self.request(reader, writer, "POST" if body else "GET", path, body), 30)
                        want = {"/big": BIG, "/chunked": 20 * 1024}.get(path)
                        if status != 200:
                            self.failed(f"{path}: status {status}", since)
                        elif len(got) != want if want else got != str(len(body or b"")).encode():
                            self.failed(f"{path}: {len(got)} bytes", since)
                        else:
                            self.count("good")
                        if closes:
                            break
                        await asyncio.sleep(r.random() * 0.02)
                    writer.close()
                except (OSError, EOFError, asyncio.TimeoutError) as e:
                    self.failed(repr(e), since)
                    writer.close()
            await asyncio.sleep(r.random() * 0.05)

    async def rude(self):
        """A client that aborts, dribbles, or reads slowly."""
        r = self.random
        while not self.over.is_set():
            with contextlib.suppress(OSError, EOFError, asyncio.TimeoutError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.base + (r.random() < 0.2))
                kind = r.choice(["half request", "half answer", "reset", "dribble", "slow reader", "half body", "silent"])
                self.count(kind)
                if kind == "half request":
                    writer.write(b"GET / HTTP/1.1\r\nHost: so")
                    await writer.drain()
                elif kind == "half body":
                    writer.write(b"POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 50000\r\n\r\n" + b"z" * 20000)
                    await writer.drain()
                    await asyncio.sleep(r.random() * 0.3)
                elif kind == "dribble":
                    for byte in b"GET / HTTP/1.1\r\nHost: soak\r\n\r\n":
                        writer.write(bytes([byte]))
                        await writer.drain()
                        await asyncio.sleep(0.02)
                    await asyncio.wait_for(self.response(reader), 10)
                elif kind == "silent":
                    await asyncio.sleep(r.random() * 2)
                else:
                    writer.write(b"GET /big HTTP/1.1\r\nHost: soak\r\n\r\n")
                    await writer.drain()
                    await asyncio.wait_for(reader.read(10_000), 10)
                    if kind == "slow reader":
                        for _ in range(20):
                            await asyncio.sleep(0.1)
                            await asyncio.wait_for(reader.read(20_000), 10)
                    elif kind == "reset":
                        writer.transport.abort()
                writer.close()
            await asyncio.sleep(r.random() * 0.1)

    async def reaper(self):
        """Kills servers, one at a time, and brings them back."""
        while not self.over.is_set():
            await asyncio.sleep(self.random.uniform(3, 8))
            i = self.random.randrange(SERVERS)
            self.deaths[i] = time.monotonic()
            self.origins[i].kill()
            self.origins[i].wait()
            self.count("servers killed")
            for _ in range(self.random.randrange(1, 30)):
                await asyncio.sleep(0.1)
                self.deaths[i] = time.monotonic()
            self.start_origin(i)
            self.deaths[i] = time.monotonic() + 1

    async def operator(self):
        """Disables and enables servers, changes weights, looks at everything."""
        r = self.random
        while not self.over.is_set():
            await asyncio.sleep(r.uniform(0.2, 1))
            server = f"{r.choice(['app', 'sticky', 'raw'])}/s{r.randrange(SERVERS)}"
            lines = r.choice([
                [f"disable server {server}", f"enable server {server}"],
                [f"set server {server} state drain", f"set server {server} state ready"],
                [f"set server {server} weight {r.randrange(1, 50)}"],
                ["show stat"], ["show info"], ["show servers state"], ["show servers conn"],
            ])
            for line in lines:
                try:
                    await self.ask(line)
                except OSError as e:
                    self.failed(f"socket: {line}: {e!r}", 0)
                await asyncio.sleep(r.uniform(0, 0.5))
                self.count("commands")

    def resources(self):
        status = open(f"/proc/{self.pid}/status").read()
        memory = int(status.split("VmRSS:")[1].split()[0])
        return memory, len(os.listdir(f"/proc/{self.pid}/fd"))

    async def watch(self):
        while not self.over.is_set():
            self.samples.append(self.resources())
            await asyncio.sleep(1)

    async def descriptors(self):
        """Those open now but for the pipes that are kept for the next long transfer."""
        info = await self.ask("show info")
        free = next(line.split(":")[1] for line in info.splitlines() if line.startswith("PipesFree"))
        # The connection that told it is closed by then.
        await asyncio.sleep(0.1)
        return self.resources()[1] - 2 * int(free)

    async def quiet(self, fds):
        """Waits until no more descriptors are open than before the load; gives what is left over."""
        for _ in range(200):
            left = await self.descriptors() - fds
            if left <= 0:
                break
        return left

    async def warm(self, port):
        for _ in range(300):
            with contextlib.suppress(OSError, EOFError):
                down = (await self.ask("show stat")).count(",DOWN")
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                status, _, _ = await self.request(reader, writer, "GET", "/")
                writer.close()
                if status == 200 and not down:
                    return
            await asyncio.sleep(0.1)
        raise SystemExit("the proxy does not serve")

    async def run(self, seconds, clients):
        path = f"{self.directory}/soak.cfg"
        open(path, "w").write(config(self.directory, self.base))
        for i in range(SERVERS):
            self.start_origin(i)
        await asyncio.sleep(1)
        proxy = subprocess.Popen([self.program, "-db", "-f", path], stdout=open(f"{self.directory}/log", "w"),
                                 stderr=subprocess.STDOUT)
        self.pid = proxy.pid
        try:
            # What is made on first use counts as there: some requests to each proxy, once all servers are up.
            for port in [self.base, self.base + 1] * SERVERS:
                await self.warm(port)
            await self.ask("show info")
            await asyncio.sleep(0.5)
            fds = await self.descriptors()
            tasks = [asyncio.create_task(t) for t in
                     [self.polite() for _ in range(clients * 3 // 4)] + [self.rude() for _ in range(clients // 4)]
                     + [self.reaper(), self.operator(), self.watch()]]
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            broken = [t for t in tasks if t.done()]
            self.over.set()
            await asyncio.wait(tasks, timeout=45)
            for task in broken:
                task.result()
            for proxy_name in ("app", "sticky", "raw"):
                for i in range(SERVERS):
                    await self.ask(f"disable server {proxy_name}/s{i}")
            left = await self.quiet(fds)
            return self.verdict(left, proxy.poll())
        finally:
            proxy.send_signal(signal.SIGTERM)
            for process in self.origins.values():
                process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                proxy.wait(5)
            proxy.kill()

    def verdict(self, left, exit_code):
        n = len(self.samples)
        median = lambda part: statistics.median(m for m, _ in part)
        early, late = median(self.samples[n // 4:n // 2]), median(self.samples[3 * n // 4:])
        peak = max(f for _, f in self.samples)
        for what, count in sorted(self.counts.items()):
            print(f"{what:28} {count}")
        print(f"memory: second quarter {early:.0f} KB, last quarter {late:.0f} KB, most {max(m for m, _ in self.samples)} KB")
        print(f"descriptors: at most {peak}, left over in the end {left}")
        print(f"unexplained errors: {len(self.unexplained)}")
        for line in self.unexplained[:20]:
            print(f"  {line}")
        faults = [why for why, is_so in [
            ("the proxy ended", exit_code is not None),
            ("memory grows", late > early * 1.1 + 2048),
            ("descriptors leak", left > 0),
            ("unexplained errors", bool(self.unexplained)),
            ("nothing was served", not self.counts.get("good")),
        ] if is_so]
        print("soak:", ", ".join(faults) if faults else "good")
        return 1 if faults else 0


def main():
    # Clients that abort write to closed sockets; that is their purpose.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    if sys.argv[1] == "origin":
        asyncio.run(origin(int(sys.argv[2])))
        return
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 1200
    clients = int(sys.argv[3]) if len(sys.argv) > 3 else 40
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else int(time.time())
    print(f"soak: {seconds} s, {clients} clients, seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        soak = Soak(sys.argv[1], directory, 20000 + os.getpid() % 10000, seed)
        sys.exit(asyncio.run(soak.run(seconds, clients)))


main()
