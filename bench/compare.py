#!/usr/bin/env python3
"""Synod beside etcd and a single stock Redis, on one machine, all durable before they acknowledge.

    cargo build --release && bench/compare.py [--rounds 3] [--seconds 8] [--clients 64,256]

Needs etcd and redis-server (Debian: etcd-server, redis-server). Three nodes of each replicated system and the load
generator share the machine; the systems take turns, one runs at a time, each round on fresh data in a temporary
directory. Synod and Redis get their load from `synod bench`, etcd from `bench/etcd-load` (gRPC, one HTTP/2 connection a
client). All connections go to the leader, where there is one. Prints the median of the rounds with the least and the
most, the ratios, and the processor time an operation.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
SYNOD = ROOT / "target/release/synod"
ETCD_LOAD = ROOT / "target/bench/release/synod-bench-etcd-load"
VALUE_BYTES = 128
KEYS = 10_000


def free_ports(count):
    """Ports that nobody uses now, chosen by the system."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_until(check, what, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = check()
            if found is not None:
                return found
        except OSError:
            pass
        time.sleep(0.1)
    sys.exit(f"compare: {what} did not come up in {seconds} s")


class System:
    """Processes in a temporary directory, ended and removed with it."""

    pipeline = 1

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="synod-compare-"))
        self.processes = []

    def spawn(self, *command):
        log = open(self.directory / f"log{len(self.processes)}", "wb")
        self.processes.append(subprocess.Popen([str(part) for part in command], stdout=log, stderr=log))

    def cpu_seconds(self):
        """The processor time of all processes of the system so far."""
        ticks = 0
        for process in self.processes:
            fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def load_by_synod(self, port, operation, clients, seconds, pipeline=None):
        command = [SYNOD, "bench", "-p", port, "-c", clients, "--seconds", seconds, "-d", VALUE_BYTES]
        command += ["-P", pipeline or self.pipeline]
        command += ["-k", KEYS, "-t", operation, "--json"] + ([] if operation == "get" else ["--no-fill"])
        report = json.loads(subprocess.check_output([str(part) for part in command]))[0]
        latency = report["latency_ms"]
        return {
            "rate": report["requests_per_second"],
            "p50": latency["p50"],
            "p99": latency["p99"],
            "own": report["own_cpu_us_per_request"],
            "errors": report["errors"],
            "requests": report["requests"],
        }


class Synod(System):
    name = "synod x3"

    def __init__(self, groups=1):
        super().__init__()
        self.groups = groups

    def start(self):
        ports = free_ports(9)
        nodes = [ports[3 * n : 3 * n + 3] for n in range(3)]
        for number, (client, peer, admin) in enumerate(nodes, 1):
            data = self.directory / f"node{number}"
            data.mkdir()
            lines = [
                'cluster = "compare"',
                f"node = {number}",
                f"groups = {self.groups}",
                f'data = "{data}"',
                f'listen = "127.0.0.1:{client}"',
                f'peer_listen = "127.0.0.1:{peer}"',
                f'admin_listen = "127.0.0.1:{admin}"',
            ]
            for other, (other_client, other_peer, _) in enumerate(nodes, 1):
                lines += ["[[peers]]", f"node = {other}"]
                lines += [f'peer = "127.0.0.1:{other_peer}"', f'client = "127.0.0.1:{other_client}"']
            (data / "synod.toml").write_text("\n".join(lines))
            self.spawn(SYNOD, "serve", "--config", data / "synod.toml")

        self.admins = [admin for _, _, admin in nodes]
        self.ports = [client for client, _, _ in nodes]
        self.port = self.ports[wait_until(lambda: self.leader(), self.name) - 1]

    def leader(self):
        """The node that leads the first group, or None."""
        groups = self.status(0)["groups"]
        return groups[0]["leader"] if groups else None

    def status(self, index):
        url = f"http://127.0.0.1:{self.admins[index]}/status"
        return json.load(urllib.request.urlopen(url, timeout=1))

    def load(self, operation, clients, seconds):
        return self.load_by_synod(self.port, operation, clients, seconds)


class Redis(System):
    name = "redis x1"

    def start(self):
        (self.port,) = free_ports(1)
        self.spawn(
            "redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", self.directory, "--save", "",
            "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no",
        )
        wait_until(lambda: socket.create_connection(("127.0.0.1", self.port), 1).close() or 1, self.name)

    def load(self, operation, clients, seconds):
        return self.load_by_synod(self.port, operation, clients, seconds)


class Etcd(System):
    name = "etcd x3"

    def start(self):
        ports = free_ports(6)
        self.clients = [f"http://127.0.0.1:{port}" for port in ports[:3]]
        peers = [f"http://127.0.0.1:{port}" for port in ports[3:]]
        cluster = ",".join(f"m{n}={peer}" for n, peer in enumerate(peers))
        for n in range(3):
            self.spawn(
                "etcd", "--name", f"m{n}", "--data-dir", self.directory / f"m{n}",
                "--listen-client-urls", self.clients[n], "--advertise-client-urls", self.clients[n],
                "--listen-peer-urls", peers[n], "--initial-advertise-peer-urls", peers[n],
                "--initial-cluster", cluster, "--initial-cluster-state", "new", "--log-level", "error",
            )

        def leader():
            for url in self.clients:
                request = urllib.request.Request(url + "/v3/maintenance/status", data=b"{}")
                status = json.load(urllib.request.urlopen(request, timeout=1))
                if status.get("leader", "0") == status["header"]["member_id"]:
                    return url
            return None

        self.leader = wait_until(leader, self.name)

    def load(self, operation, clients, seconds):
        if operation == "get":
            # Fill: more puts than keys, drawn as the gets are.
            self.load_by_etcd("put", clients, 3)
        return self.load_by_etcd({"set": "put", "get": "get"}[operation], clients, seconds)

    def load_by_etcd(self, operation, clients, seconds):
        command = [ETCD_LOAD, self.leader, operation, clients, seconds, VALUE_BYTES, KEYS]
        report = json.loads(subprocess.check_output([str(part) for part in command]))
        return {
            "rate": report["requests_per_second"],
            "p50": report["p50_ms"],
            "p99": report["p99_ms"],
            "own": report["own_us_per_request"],
            "errors": report["errors"],
            "requests": report["requests"],
        }


def measure(kind, operation, clients, seconds):
    with kind() as system:
        before = system.cpu_seconds()
        report = system.load(operation, clients, seconds)
        # A fill before the gets is counted too: an upper bound.
        report["cpu"] = (system.cpu_seconds() - before) * 1e6 / max(report["requests"], 1)
        return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--clients", default="64,256")
    parser.add_argument("--systems", default="synod,etcd,redis", help="which of them; synod is one")
    parser.add_argument("--pipeline", type=int, default=1, help="requests under way on a connection; not for etcd")
    arguments = parser.parse_args()
    systems = [{"synod": Synod, "etcd": Etcd, "redis": Redis}[name] for name in arguments.systems.split(",")]
    System.pipeline = arguments.pipeline
    programs = {Etcd: "etcd", Redis: "redis-server"}
    for program in [programs[kind] for kind in systems if kind in programs]:
        if shutil.which(program) is None:
            sys.exit(f"compare: {program} is missing; install etcd-server and redis-server")
    if not SYNOD.exists():
        sys.exit("compare: build first: cargo build --release")
    if Etcd in systems:
        build = ["cargo", "build", "--release", "--quiet", "--manifest-path", str(ROOT / "bench/etcd-load/Cargo.toml")]
        subprocess.check_call(build, env={**os.environ, "CARGO_TARGET_DIR": str(ROOT / "target/bench")})

    shape = f"{os.cpu_count()} cores, {VALUE_BYTES}-byte values, {KEYS} keys, {arguments.pipeline} in flight a connection"
    print(f"{shape}, {arguments.rounds} rounds of {arguments.seconds} s")
    head = f"{'op':<4} {'clients':>7}  {'system':<9} {'op/s (least to most)':>26} {'p50 ms':>8} {'p99 ms':>8}"
    print(head + f" {'CPU µs/op':>10} {'load µs/op':>10} {'errors':>6}")
    for operation in ("set", "get"):
        for clients in (int(text) for text in arguments.clients.split(",")):
            figures = {kind: [] for kind in systems}
            for _ in range(arguments.rounds):
                for kind in systems:
                    figures[kind].append(measure(kind, operation, clients, arguments.seconds))
            middle = {}
            for kind in systems:
                of = {key: [one[key] for one in figures[kind]] for key in figures[kind][0]}
                middle[kind] = {key: statistics.median(values) for key, values in of.items()}
                spread = f"{middle[kind]['rate']:.0f} ({min(of['rate']):.0f} to {max(of['rate']):.0f})"
                m = middle[kind]
                print(
                    f"{operation:<4} {clients:>7}  {kind.name:<9} {spread:>26} {m['p50']:>8.2f} {m['p99']:>8.2f}"
                    f" {m['cpu']:>10.1f} {m['own']:>10.1f} {sum(of['errors']):>6.0f}",
                    flush=True,
                )
            for other in systems[1:]:
                ratio = middle[Synod]["rate"] / middle[other]["rate"]
                print(f"{'':<12}  synod has {ratio:.2f} times the rate of {other.name}", flush=True)


if __name__ == "__main__":
    main()
