#!/usr/bin/env python3
"""A node whose disk is lost gets back a group of several GiB, while clients go on.

    cargo build --release && bench/lost_disk.py [--mebibytes 2048] [--seconds 15]

Three nodes, one group. It is filled; then the third node is killed, its data directory is emptied, and it is started
again. It learns from the others that it has lived before, and gets the state from the leader. Meanwhile connections to the
two others read and write. Prints how long it took until the node had executed all that was chosen, the latencies before
and meanwhile, and the most memory that each process took, beside what it held before. Everything is durable before it is
acknowledged, and all nodes and the load share one machine and its disk.
"""

import argparse
import asyncio
import os
import shutil
import sys
import time

from compare import SYNOD, Synod, wait_until
from move import CLIENTS, SLOTS, VALUE_BYTES, fill, load, percentile, tags


def memory(process, field):
    """What the system says of a process, in MiB."""
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) >> 10 for line in status if line.startswith(field + ":"))


def forget_peak(process):
    """From now on the system counts the most memory of a process anew."""
    with open(f"/proc/{process.pid}/clear_refs", "w") as file:
        file.write("5")


def is_back(system):
    """Whether the third node takes part, and has executed what the leader had when it was asked."""
    try:
        first, third = (system.status(node)["groups"][0] for node in (0, 2))
    except (OSError, IndexError):
        return None
    is_in = third["role"] in ("follower", "leader")
    return True if is_in and third["chosen_through"] + 1_000 >= first["chosen_through"] else None


async def play(system, arguments):
    names = tags(0, SLOTS - 1, SLOTS)
    per_slot = max(1, arguments.mebibytes * (1 << 20) // VALUE_BYTES // len(names))
    begin = time.monotonic()
    await asyncio.to_thread(fill, system.port, names, per_slot)
    filled = time.monotonic() - begin
    wait_until(lambda: is_back(system), "a third node that keeps up", 600)
    keys = [b"{%s}load" % name for name in names[:512]]
    until, took = asyncio.Event(), []
    loads = [load(system.ports[n % 2], keys, until, took, 0.5) for n in range(CLIENTS)]
    tasks = [asyncio.create_task(task) for task in loads]
    await asyncio.sleep(3)
    calm = time.monotonic()
    await asyncio.sleep(arguments.seconds)
    held = [memory(process, "VmRSS") for process in system.processes]
    for process in system.processes[:2]:
        forget_peak(process)
    lost = time.monotonic()
    system.processes[2].kill()
    system.processes[2].wait()
    place = system.directory / "node3"
    for item in place.iterdir():
        if item.name != "synod.toml":
            shutil.rmtree(item) if item.is_dir() else item.unlink()
    system.spawn(SYNOD, "serve", "--config", place / "synod.toml")
    system.processes[2] = system.processes.pop()
    await asyncio.to_thread(wait_until, lambda: is_back(system), "the state on the third node", 3600)
    back = time.monotonic()
    until.set()
    await asyncio.gather(*tasks)
    peaks = [memory(process, "VmHWM") for process in system.processes]
    report((filled, per_slot * len(names)), took, (calm, lost, back), (held, peaks))


def report(filled, took, moments, memories):
    calm, lost, back = moments
    seconds, keys = filled
    mebibytes = keys * VALUE_BYTES / (1 << 20)
    print(f"{os.cpu_count()} cores, {mebibytes:.0f} MiB in {keys} values, filled in {seconds:.0f} s")
    print(f"the third node had it back after {back - lost:.1f} s: {mebibytes / (back - lost):.0f} MiB/s")
    print(f"{'clients':<18} {'op/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'p99.9 ms':>9}")
    for name, since, until in (("before", calm, lost), ("meanwhile", lost, back)):
        values = [long for at, long in took if since <= at < until]
        row = [percentile(values, share) * 1e3 for share in (0.5, 0.99, 0.999)]
        print(f"{name:<18} {len(values) / (until - since):>8.0f} {row[0]:>8.2f} {row[1]:>8.2f} {row[2]:>9.2f}")
    held, peaks = memories
    for number, (before, most) in enumerate(zip(held, peaks), 1):
        print(f"node {number}: {before} MiB before, {most} MiB at most: {most / before:.2f} times")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mebibytes", type=int, default=2048)
    parser.add_argument("--seconds", type=int, default=15)
    arguments = parser.parse_args()
    if not SYNOD.exists():
        sys.exit("lost_disk: build first: cargo build --release")
    with Synod() as system:
        time.sleep(2)
        asyncio.run(play(system, arguments))


if __name__ == "__main__":
    main()
