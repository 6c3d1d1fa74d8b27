#!/usr/bin/env python3
"""Resident bytes per client that stopped halfway, of a proxy that compare.sh started: slow.py PID PORT KIND

Kinds: half a head of 8 KB; a body of which 100 bytes came, which `option http-buffer-request` waits for (PORT + 5) or
`wait-for-body` (PORT + 6); an answer of 100 MB that nobody takes."""
import socket
import sys
import time

COUNT = 1000
LINE = b"X-Long: " + b"y" * 90 + b"\r\n"
HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n" + LINE * 80
BODY = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n" + b"z" * 100
DOWNLOAD = b"GET /f/100m HTTP/1.1\r\nHost: a\r\n\r\n"
KINDS = {"head": (0, HEAD), "buffered": (5, BODY), "awaited": (6, BODY), "unread": (0, DOWNLOAD)}


def resident(pid):
    return next(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS"))


def client(port, sent):
    connection = socket.socket()
    # As little as can be of an answer lies in the kernel.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    connection.sendall(sent)
    return connection


def measure(pid, port, sent):
    warm = [client(port, sent) for _ in range(50)]
    time.sleep(2.5)
    before = resident(pid)
    slow = [client(port, sent) for _ in range(COUNT)]
    time.sleep(2.5)
    after = resident(pid)
    for connection in warm + slow:
        connection.close()
    time.sleep(1)
    return round((after - before) * 1024 / COUNT)


pid, port, (offset, sent) = int(sys.argv[1]), int(sys.argv[2]), KINDS[sys.argv[3]]
print(measure(pid, port + offset, sent))
