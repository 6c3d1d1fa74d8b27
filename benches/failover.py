#!/usr/bin/env python3
"""How long an address is nobody's, or two nodes', when a part of a pair dies: Tandem beside keepalived.

usage: [TANDEM=PROGRAM] [REF_KEEPALIVED=keepalived] benches/failover.py [--pairs tt,kk,tk,kt] [--runs N] [--at-once N]
                                                                        [--busy SECONDS] [--reloads N] [ROW...]
Rows: proxy-kill stop engine-kill kill-all kill-all-fast freeze link-cut link-cut-fast reload busy flood. The fast ones are
at advert_int 0.1 and 0.01. A pair names who runs on the node
that has the address, and on the other one: t Tandem, k keepalived. Everything happens in network namespaces made for
it. Needs root, iproute2, ping, tcpdump, killall, keepalived.

Each figure is the median of the runs and, behind a slash, the worst of them.

takeover   from the event until the other node has the address
gap        longest time a client gets no answer (one ping every 20 ms)
two        time both nodes have the address
dead keeps how long the dead node keeps it
answers    how long it answers those who know its hardware address
"""
import argparse, concurrent.futures, ctypes, datetime, fcntl, itertools, os, re, shutil, signal, socket, statistics, struct, subprocess, sys
import tempfile, threading, time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VIP = "172.20.0.100"
# Of an interface (netdevice(7)).
GET_FLAGS, SET_FLAGS, UP = 0x8913, 0x8914, 1
HOSTS = ["1", "2", "c", "k"]
ROWS = ["proxy-kill", "stop", "engine-kill", "kill-all", "kill-all-fast", "freeze", "link-cut", "link-cut-fast", "reload", "busy",
        "flood"]
CONFIG = """global_defs {{
    enable_script_security
    script_user root
}}
vrrp_script chk {{
    script "/usr/bin/killall -0 {proxy}"
    interval 2
    weight -20
    user root
}}
vrrp_instance VI_1 {{
    state {state}
    interface eth0
    virtual_router_id 51
    priority {priority}
    {version}
    advert_int {interval}
    virtual_ipaddress {{
        {vip}/16
    }}
    {more}
    track_script {{
        chk
    }}
}}
"""


def run(*words, check=True):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if check and done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        # A check of a script that ended by itself.
        pass


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return file.read()
    except FileNotFoundError:
        return ""


class Lab:
    """Two nodes and two clients on a switch; one of them asks for hardware addresses, the other knows."""

    numbers = itertools.count()

    def __init__(self, directory):
        self.dir, self.name = directory, f"fo{os.getpid()}-{next(Lab.numbers)}"
        self.children = []
        for host in ["sw", *HOSTS]:
            run("ip", "netns", "add", f"{self.name}-{host}")
            self.on(host, "ip", "link", "set", "lo", "up")
        self.on("sw", "ip", "link", "add", "br0", "type", "bridge")
        self.on("sw", "ip", "link", "set", "br0", "up")
        for number, host in enumerate(HOSTS, 11):
            run("ip", "-n", f"{self.name}-sw", "link", "add", f"p{host}", "type", "veth", "peer", "name", "eth0",
                "netns", f"{self.name}-{host}")
            self.on("sw", "ip", "link", "set", f"p{host}", "master", "br0", "up")
            self.on(host, "ip", "addr", "add", f"172.20.0.{number}/16", "dev", "eth0")
            self.on(host, "ip", "link", "set", "eth0", "up")

    def words(self, host, *words):
        return ["ip", "netns", "exec", f"{self.name}-{host}", *words]

    def on(self, host, *words, check=True):
        return run(*self.words(host, *words), check=check)

    def spawn(self, host, *words, out=None):
        sink = open(out, "w") if out else subprocess.DEVNULL
        child = subprocess.Popen(self.words(host, *words), stdout=sink, stderr=subprocess.STDOUT)
        self.children.append(child)
        return child

    def cut(self, port):
        """Takes a port of the switch down and says when. To start `ip` for it takes a tenth of a second and more on a
        machine that is busy, which is longer than what is measured."""
        when = []

        def down():
            # Of this thread alone.
            with open(f"/run/netns/{self.name}-sw") as space:
                if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), 0):
                    raise OSError(ctypes.get_errno(), "setns")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ask:
                request = struct.pack("16sH14x", port.encode(), 0)
                flags = struct.unpack("16xH", fcntl.ioctl(ask, GET_FLAGS, request)[:18])[0]
                when.append(time.time())
                fcntl.ioctl(ask, SET_FLAGS, struct.pack("16sH14x", port.encode(), flags & ~UP))

        thread = threading.Thread(target=down)
        thread.start()
        thread.join()
        return when[0]

    def pids(self, host):
        return [int(pid) for pid in run("ip", "netns", "pids", f"{self.name}-{host}", check=False).split()]

    def holds(self, host):
        return VIP in self.on(host, "ip", "-4", "-o", "addr", "show", "eth0")

    def close(self):
        for host in [*HOSTS, "sw"]:
            for pid in self.pids(host):
                send(pid, signal.SIGKILL)
        for child in self.children:
            child.wait()
        for host in [*HOSTS, "sw"]:
            run("ip", "netns", "del", f"{self.name}-{host}", check=False)


class Pair:
    """A pair of daemons, running, with node 1 in possession of the address."""

    def __init__(self, programs, who, interval="1", version="", more=""):
        self.dir = tempfile.mkdtemp(prefix="failover-")
        self.lab, self.programs, self.who = Lab(self.dir), programs, who
        self.options = dict(interval=interval, version=version)
        self.proxies, self.daemons = [], []
        for node in "12":
            name = self.proxy(node)
            shutil.copy(shutil.which("sleep"), f"{self.dir}/{name}")
            self.proxies.append(self.lab.spawn(node, f"{self.dir}/{name}", "9999"))
            self.write(node, more)
            self.lab.spawn(node, "ip", "-ts", "-o", "-4", "monitor", "address", out=f"{self.dir}/{node}.addr")
        for node in "12":
            self.daemons.append(self.lab.spawn(
                node, programs[who[int(node) - 1]], "-n", "-l", "-D", "-P", "-f", f"{self.dir}/{node}.conf", "-p",
                f"{self.dir}/{node}.pid", "-r", f"{self.dir}/{node}.vpid", out=f"{self.dir}/{node}.log"))
        self.wait(lambda: self.lab.holds("1") and not self.lab.holds("2"), 20, "node 1 to have the address")
        time.sleep(3)

    def proxy(self, node):
        """What the proxy is called: checks see all processes of the machine, those of other runs among them."""
        return f"{self.lab.name.replace('fo', 'lb' + node + '-', 1)}"[-15:]

    def write(self, node, more=""):
        text = CONFIG.format(proxy=self.proxy(node), state="MASTER" if node == "1" else "BACKUP", vip=VIP, more=more,
                             priority=100 if node == "1" else 90, **self.options)
        with open(f"{self.dir}/{node}.conf", "w") as file:
            file.write(text)

    def wait(self, condition, seconds, what):
        end = time.time() + seconds
        while not condition():
            if time.time() > end:
                log = open(f"{self.dir}/1.log").read().splitlines()[-5:]
                raise SystemExit(f"waited {seconds} s in vain for {what}\n" + "\n".join(log))
            time.sleep(0.02)

    def pid(self, file):
        return int(open(f"{self.dir}/{file}").read())

    def owned(self, node, begin, end):
        """Spans of time in which the node had the address."""
        spans, since = [], None
        for line in open(f"{self.dir}/{node}.addr"):
            found = re.match(r"\[(\S+?)\] (Deleted )?.*inet " + re.escape(VIP) + "/", line)
            if not found:
                continue
            at = datetime.datetime.fromisoformat(found.group(1)).timestamp()
            if found.group(2):
                if since is not None:
                    spans.append((since, at))
                since = None
            elif since is None:
                since = at
        if since is not None:
            spans.append((since, end))
        return [(max(a, begin), min(b, end)) for a, b in spans if b > begin and a < end]

    def close(self):
        self.lab.close()
        shutil.rmtree(self.dir)


def both(one, two):
    return sum(max(0, min(b, d) - max(a, c)) for a, b in one for c, d in two)


def failover(programs, who, row):
    fast = {"link-cut-fast": "0.01", "kill-all-fast": "0.1"}.get(row)
    fast = dict(interval=fast, version="version 3") if fast else {}
    pair = Pair(programs, who, **fast)
    lab = pair.lab
    mac = re.search(r"link/ether (\S+)", lab.on("1", "ip", "-o", "link", "show", "eth0")).group(1)
    lab.on("k", "ip", "neigh", "replace", VIP, "lladdr", mac, "dev", "eth0", "nud", "permanent")
    ping, knows = [lab.spawn(host, "timeout", "9", "ping", "-D", "-i", "0.02", "-W", "0.02", VIP, out=f"{pair.dir}/ping{host}")
                   for host in "ck"]
    time.sleep(1)
    begin = time.time()
    if row == "proxy-kill":
        os.kill(pair.proxies[0].pid, signal.SIGKILL)
        # A process nobody has waited for still answers killall -0.
        pair.proxies[0].wait()
    elif row == "stop":
        os.kill(pair.pid("1.pid"), signal.SIGTERM)
    elif row == "engine-kill":
        os.kill(pair.pid("1.vpid"), signal.SIGKILL)
    elif row in ("kill-all", "kill-all-fast", "freeze"):
        monitor = [pid for pid in lab.pids("1") if "monitor" in command_line(pid)]
        # Nobody may act on another's death: all stand still first.
        for how in [signal.SIGSTOP] + ([] if row == "freeze" else [signal.SIGKILL]):
            for pid in lab.pids("1"):
                if pid not in monitor:
                    send(pid, how)
    else:
        begin = lab.cut("p1")
    ping.wait()
    knows.wait()
    end = time.time()
    one, two = pair.owned("1", begin, end), pair.owned("2", begin, end)
    answers, own = [[float(at) for at in re.findall(r"\[(\d+\.\d+)\].*bytes from", open(f"{pair.dir}/ping{host}").read())]
                    for host in "ck"]
    last = max((at for at in own), default=begin)
    answers = [at for at in answers if at > begin - 0.5] + [end]
    held = [b for a, b in one if a == begin]
    result = dict(
        takeover=two[0][0] - begin if two else None,
        gap=max((b - a for a, b in zip(answers, answers[1:])), default=None),
        two=both(one, two),
        dead=(held[0] - begin if held and held[0] < end else None if held else 0),
        answers=max(last - begin, 0) if last < end - 1 else None,
    )
    pair.close()
    return result


def summary(values, none):
    """Median and worst; what never came to pass is longer than anything."""
    values = sorted(float("inf") if value is None else value for value in values)
    figures = [none if value == float("inf") else f"{value:.2f}" for value in (statistics.median_low(values), values[-1])]
    return "/".join(figures if len(values) > 1 else figures[:1])


def table(programs, rows, pairs, runs, at_once):
    columns = {"takeover": "never", "gap": "-", "two": "-", "dead": "for good", "answers": "for good"}
    print(f"{'the active node':15} {'pair':6} {'takeover':>11} {'gap':>11} {'two':>11} {'dead keeps':>17} {'answers':>17}   seconds")
    for row in rows:
        for who in pairs:
            with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
                results = list(pool.map(lambda _: failover(programs, who, row), range(runs)))
            cells = [summary([result[key] for result in results], none) for key, none in columns.items()]
            print(f"{row:15} {who[0]} > {who[1]}  {cells[0]:>11} {cells[1]:>11} {cells[2]:>11} {cells[3]:>17} {cells[4]:>17}",
                  flush=True)


def adverts(file, source):
    times = []
    for line in open(file):
        found = re.match(r"(\d+\.\d+) IP " + re.escape(source) + " > ", line)
        if found:
            times.append(float(found.group(1)))
    return times


def reload(programs, who, count):
    pair = Pair(programs, who * 2, interval="1")
    capture = pair.lab.spawn("c", "tcpdump", "-lnni", "eth0", "-tt", "ip", "proto", "112", out=f"{pair.dir}/wire")
    time.sleep(1)
    begin = time.time()
    for number in range(count):
        # Every tenth time with another line in the file.
        if number % 10 == 0:
            # The others must not notice: these addresses are not in adverts.
            more = f"virtual_ipaddress_excluded {{\n        172.20.0.{101 + number // 10 % 2}/16\n    }}"
            pair.write("1", more if number % 20 else "")
        os.kill(pair.pid("1.pid"), signal.SIGHUP)
        time.sleep(0.03)
    time.sleep(3)
    end = time.time()
    capture.terminate()
    time.sleep(0.3)
    sent = [at for at in adverts(f"{pair.dir}/wire", "172.20.0.11") if at > begin - 2]
    other = [at for at in adverts(f"{pair.dir}/wire", "172.20.0.12") if at > begin]
    gap = max((b - a for a, b in zip(sent, sent[1:])), default=0)
    lost = len(pair.owned("1", begin, end)) - 1
    taken = len(pair.owned("2", begin, end))
    print(f"reload          {who}      {count} reloads in {end - begin:.0f} s: longest gap between adverts {gap:.2f} s of 1 s, "
          f"{len(sent)} adverts, address lost {lost} times, taken by the other node {taken} times, {len(other)} adverts of the other node",
          flush=True)
    pair.close()


def busy(programs, names, length):
    """All programs' pairs at once, under the same loops."""
    pairs = {who: Pair(programs, who * 2, interval="0.1", version="version 3") for who in names}
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))]
    begin = time.time()
    time.sleep(length)
    end = time.time()
    for loop in loops:
        loop.kill()
        loop.wait()
    for who, pair in pairs.items():
        lost = len(pair.owned("1", begin, end)) - 1
        taken = len(pair.owned("2", begin, end))
        print(f"busy            {who}      {length} s with {len(loops)} busy loops on {os.cpu_count()} cores, advert_int 0.1: "
              f"{max(lost, 0) + taken} false failovers", flush=True)
        pair.close()


# Runs in the namespace of the attacker: frames from a ring shared with the kernel, 60,000 a second where the machine can.
FLOOD = r"""
import mmap, socket, struct, sys, time
rate, length, frames, size = int(sys.argv[1]), float(sys.argv[2]), 1024, 128
ip = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 32, 1, 0, 254, 112, 0, bytes([172, 20, 0, 66]), bytes([224, 0, 0, 18])))
total = sum(struct.unpack("!10H", ip))
ip[10:12] = struct.pack("!H", ~((total & 0xffff) + (total >> 16)) & 0xffff)
frame = bytes([1, 0, 0x5e, 0, 0, 0x12, 2, 0, 0, 0, 0, 0x66, 8, 0]) + ip + bytes([0x31, 51, 255, 1, 0, 100, 0, 0, 172, 20, 0, 100])
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
out.bind(("eth0", 0))
out.setsockopt(263, 13, struct.pack("IIII", 4096, frames * size // 4096, size, frames))
ring = mmap.mmap(out.fileno(), frames * size)
for at in range(0, frames * size, size):
    ring[at:at + 32 + len(frame)] = struct.pack("LII", 0, len(frame), len(frame)).ljust(32, bytes(1)) + frame
status = memoryview(ring).cast("L")[::size // 8]
begin, sent = time.time(), 0
while time.time() - begin < length:
    for at in range(frames):
        status[at] = 1
    out.send(b"")
    sent += frames
    time.sleep(max(0, sent / rate - (time.time() - begin)))
print(f"{sent / (time.time() - begin):.0f}")
"""


def cpu(pid):
    words = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def flood(programs, who, length=10):
    pair = Pair(programs, who * 2, interval="0.2", version="version 3")
    engines = [pair.pid("1.vpid"), pair.pid("2.vpid")]
    lines = sum(len(open(f"{pair.dir}/{node}.log").readlines()) for node in "12")
    before, begin = [cpu(pid) for pid in engines], time.time()
    rate = run(*pair.lab.words("c", sys.executable, "-c", FLOOD, "60000", str(length))).strip()
    used = [f"{(cpu(pid) - b) / (time.time() - begin):.0%}" for pid, b in zip(engines, before)]
    end = time.time()
    more = sum(len(open(f"{pair.dir}/{node}.log").readlines()) for node in "12") - lines
    lost = max(len(pair.owned("1", begin, end)) - 1, 0) + len(pair.owned("2", begin, end))
    print(f"flood           {who}      {rate} forged packets a second for {length} s: {lost} false failovers, {more} lines in both logs, "
          f"a processor busy {used[0]} (active) and {used[1]} (other)", flush=True)
    pair.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", choices=ROWS + [[]], default=[])
    parser.add_argument("--pairs", default="tt,kk,tk,kt")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=1, help="runs beside each other")
    parser.add_argument("--busy", type=int, default=60)
    parser.add_argument("--reloads", type=int, default=1000)
    options = parser.parse_args()
    if os.geteuid():
        raise SystemExit("failover.py: network namespaces need root")
    reference = shutil.which(os.environ.get("REF_KEEPALIVED", "keepalived"))
    for tool in ["ip", "ping", "tcpdump", "killall"]:
        if not shutil.which(tool):
            raise SystemExit(f"failover.py: {tool} is missing")
    directory = tempfile.mkdtemp(prefix="failover-bin-")
    ours = os.environ.get("TANDEM")
    if not ours:
        subprocess.run(["cargo", "build", "--release"], cwd=HERE, check=True)
        meta = run("cargo", "metadata", "--format-version", "1", "--no-deps", "--manifest-path", f"{HERE}/Cargo.toml")
        ours = re.search(r'"target_directory":"([^"]*)"', meta).group(1) + "/release/tandem"
    # The program acts as what it is called.
    os.symlink(os.path.abspath(ours), f"{directory}/keepalived")
    programs = {"t": f"{directory}/keepalived", "k": reference}
    pairs = [pair for pair in options.pairs.split(",") if reference or "k" not in pair]
    rows = options.rows or ROWS
    try:
        if failing := [row for row in rows if row not in ("reload", "busy", "flood")]:
            table(programs, failing, pairs, options.runs, options.at_once)
        for who in "tk":
            if who * 2 in pairs and "reload" in rows:
                reload(programs, who, options.reloads)
        if "busy" in rows and (names := [who for who in "tk" if who * 2 in pairs]):
            busy(programs, names, options.busy)
        for who in "tk":
            if who * 2 in pairs and "flood" in rows:
                flood(programs, who)
    finally:
        shutil.rmtree(directory)


main()
