#!/usr/bin/env python3
"""Milliseconds of commands on a list of 100,000 patterns over the stats socket, and the memory of the process before and
after them: commands.py PROGRAM [KIND...]; give HAProxy as the program for its figures."""
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

COUNT = 100_000
KINDS = {
    "str": (lambda i: f"host{i}.example{i % 977}.com", lambda key: key),
    "beg": (lambda i: f"/app{i % 997}/section{i}/", lambda key: key + "index.html"),
    "end": (lambda i: f".host{i}.example{i % 977}.com", lambda key: "www" + key),
    "ip": (lambda i: f"{10 + i // 65536}.{i // 256 % 256}.{i % 256}.0/24", lambda key: key.replace(".0/24", ".7")),
    "int": (lambda i: str(i * 7), lambda key: key),
    "sub": (lambda i: f"section{i}x", lambda key: f"/a/{key}/b"),
    "dir": (lambda i: f"section{i}", lambda key: f"/a/{key}/b"),
    "dom": (lambda i: f"host{i}.example{i % 977}.com", lambda key: f"www.{key}:80"),
    "reg": (lambda i: f"^/section{i}/.*[.]html$", lambda key: key[1:].replace(".*[.]html$", "x.html")),
}


def ask(path, line):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    start = time.perf_counter()
    connection.sendall(line.encode() + b"\n")
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    return (time.perf_counter() - start) * 1000, answer.decode()


def resident(pid):
    return next(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS")) / 1024


def several(path, lines):
    """The first, and the median of the others."""
    times = []
    for line in lines:
        took, answer = ask(path, line)
        assert "nknown" not in answer and "not found" not in answer and "=no" not in answer, (line, answer)
        times.append(took)
    return f"{times[0]:7.2f} {statistics.median(times[1:]):6.2f}"


def measure(program, kind, directory):
    write, sample = KINDS[kind]
    count = 10_000 if kind == "reg" else COUNT
    path = f"{directory}/sock"
    entries = f"{directory}/{kind}"
    with open(entries, "w") as file:
        file.writelines(f"{write(i)} be{i % 50}\n" for i in range(count))
    with open(entries + ".acl", "w") as file:
        file.writelines(f"{write(i)}\n" for i in range(count))
    fetch = {"ip": "src", "int": "req.hdr_cnt(x)"}.get(kind, "req.hdr(x)")
    for what, rule in [("map", f"set-header x %[{fetch},map_{kind}({entries})]"),
                       ("acl", f"deny if {{ {fetch} -m {kind} -f {entries}.acl }}")]:
        with open(f"{directory}/cfg", "w") as file:
            file.write(f"global\n stats socket {path} level admin\ndefaults\n mode http\n timeout connect 5s\n"
                       f" timeout client 5s\n timeout server 5s\nfrontend f\n bind 127.0.0.1:{20000 + os.getpid() % 10000}\n"
                       f" http-request {rule}\n")
        began = time.perf_counter()
        proxy = subprocess.Popen([program, "-db", "-f", f"{directory}/cfg"], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        try:
            for _ in range(600):
                try:
                    ask(path, "show info")
                    break
                except OSError:
                    time.sleep(0.05)
            loaded, before = time.perf_counter() - began, resident(proxy.pid)
            name = entries if what == "map" else entries + ".acl"
            keys = [write(i) for i in range(1, count, count // 12)]
            odd = [f"{write(i)}" for i in range(count + 1, count + 12)]
            found = several(path, [f"get {what} {name} {sample(key)}" for key in keys])
            changed = "      -      -"
            if what == "map":
                changed = several(path, [f"set map {name} {key} other" for key in keys])
            added = several(path, [f"add {what} {name} {key}" + (" new" if what == "map" else "") for key in odd])
            gone = several(path, [f"del {what} {name} {key}" for key in keys])
            print(f"{what} {kind:4} {loaded:6.2f} {before:7.1f} {found} {changed} {added} {gone} {resident(proxy.pid):7.1f}",
                  flush=True)
        finally:
            proxy.kill()
            proxy.wait()
            os.path.exists(path) and os.unlink(path)


print("         load s      MB   get 1st more    set 1st more    add 1st more    del 1st more    MB")
with tempfile.TemporaryDirectory() as directory:
    for kind in sys.argv[2:] or KINDS:
        measure(sys.argv[1], kind, directory)
