#!/usr/bin/env python3
"""A store of three groups while 1 GiB moves from one of them to another.

    cargo build --release && bench/move.py [--mebibytes 1024] [--seconds 15]

Three nodes, each with a member of every group. The second group's slots are filled; then all of them are moved to the
third group, while connections write and read keys of the first group's slots, which do not move, and others write one
key each of slots that do. Prints the latencies of the first group before and during the move, and how long each watched
slot was away: the longest that a write to it took. Everything is durable before it is acknowledged, and all nodes, the
load and the moves share one machine and its disk.
"""

import argparse
import asyncio
import bisect
import os
import random
import socket
import sys
import time

from compare import SYNOD, Synod, wait_until

SLOTS = 16_384
CLIENTS = 16
WATCHED = 48
VALUE_BYTES = 4096


def table():
    entries = []
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x1021) & 0xFFFF if crc & 0x8000 else (crc << 1) & 0xFFFF
        entries.append(crc)
    return entries


TABLE = table()


def slot_of(key):
    crc = 0
    for byte in key:
        crc = ((crc << 8) & 0xFFFF) ^ TABLE[(crc >> 8) ^ byte]
    return crc % SLOTS


def command(*words):
    parts = [b"*%d\r\n" % len(words)]
    parts += [b"$%d\r\n%s\r\n" % (len(word), word) for word in words]
    return b"".join(parts)


def ask(port, *words, patience=30):
    """One command over a connection of its own; the reply as it stands on the wire."""
    with socket.create_connection(("127.0.0.1", port), patience) as connection:
        connection.sendall(command(*(str(word).encode() for word in words)))
        return connection.recv(1 << 20).decode()


def tags(first, last, count):
    """Hash tags, the slots of which are spread over those from `first` to `last`."""
    wanted, found, number = last - first + 1, {}, 0
    while len(found) < min(count, wanted):
        tag = b"%d" % number
        slot = slot_of(tag)
        if first <= slot <= last:
            found.setdefault(slot, tag)
        number += 1
    return list(found.values())


def fill(port, names, per_slot):
    """Sets so many keys in each of the slots of these tags."""
    value = random.Random(1).randbytes(VALUE_BYTES)
    connection = socket.create_connection(("127.0.0.1", port))
    batch, pending = [], 0

    def flush():
        nonlocal batch, pending
        connection.sendall(b"".join(batch))
        left = 5 * pending
        while left > 0:
            reply = connection.recv(1 << 16)
            if b"-" in reply:
                sys.exit(f"move: the store refuses to be filled: {reply!r}")
            left -= len(reply)
        batch, pending = [], 0

    for name in names:
        for number in range(per_slot):
            batch.append(command(b"SET", b"{%s}%d" % (name, number), value))
            pending += 1
            if pending == 256:
                flush()
    flush()
    connection.close()


async def load(port, keys, until, latencies, write_share):
    """Asks one thing after the other, and notes when each began and how long it took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    rng, value = random.Random(port + len(latencies)), b"x" * 128
    while not until.is_set():
        key = rng.choice(keys)
        is_write = rng.random() < write_share
        begin = time.monotonic()
        writer.write(command(b"SET", key, value) if is_write else command(b"GET", key))
        line = await reader.readline()
        if line.startswith(b"-"):
            sys.exit(f"move: an error while slots move: {line!r}")
        if line.startswith(b"$") and line != b"$-1\r\n":
            await reader.readexactly(int(line[1:]) + 2)
        latencies.append((begin, time.monotonic() - begin))
    writer.close()


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def play(system, arguments):
    port = system.ports[0]
    third = SLOTS // 3
    moving = range(third + 2, 2 * third)
    names = tags(moving[0], moving[-1], len(moving))
    per_slot = max(1, arguments.mebibytes * (1 << 20) // VALUE_BYTES // len(names))
    filled = time.monotonic()
    await asyncio.to_thread(fill, port, names, per_slot)
    filled = time.monotonic() - filled
    stays = [b"{%s}stays" % name for name in tags(0, third - 2, 512)]
    watched = [[b"{%s}watched" % name] for name in random.Random(2).sample(names, min(WATCHED, len(names)))]
    until, others, slots = asyncio.Event(), [], [[] for _ in watched]
    ports = system.ports
    tasks = [load(ports[n % 3], stays, until, others, 0.5) for n in range(CLIENTS)]
    tasks += [slow_load(ports[n % 3], keys, until, mine) for n, (keys, mine) in enumerate(zip(watched, slots))]
    tasks = [asyncio.create_task(task) for task in tasks]
    await asyncio.sleep(3)
    calm = time.monotonic()
    await asyncio.sleep(arguments.seconds)
    begin = time.monotonic()
    told = await asyncio.to_thread(ask, port, "SYNOD", "SLOT", "MOVE", moving[0], moving[-1], 3)
    if not told.startswith(":"):
        sys.exit(f"move: {told}")
    await asyncio.to_thread(wait_until, lambda: has_moved(system, int(told[1:])), "the end of the move", 600)
    end = time.monotonic()
    await asyncio.sleep(1)
    until.set()
    await asyncio.gather(*tasks)
    report(arguments, (filled, per_slot * len(names)), others, slots, (calm, begin, end))


async def slow_load(port, keys, until, latencies):
    """A write every few milliseconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while not until.is_set():
        begin = time.monotonic()
        writer.write(command(b"SET", keys[0], b"x"))
        line = await reader.readline()
        if line != b"+OK\r\n":
            sys.exit(f"move: a write to a slot that moves: {line!r}")
        latencies.append((begin, time.monotonic() - begin))
        await asyncio.sleep(0.02)
    writer.close()


def has_moved(system, number):
    """Whether every group has carried out the configuration."""
    statuses = [system.status(node) for node in range(3)]
    groups = [group for status in statuses for group in status["groups"] if group["role"] == "leader"]
    is_done = lambda group: (group["configuration"] or 0) >= number and group["leaving"] + group["coming"] == 0
    return True if len(groups) == system.groups and all(is_done(group) for group in groups) else None


def report(arguments, filled, others, slots, moments):
    calm, begin, end = moments
    seconds, keys = filled
    print(f"{os.cpu_count()} cores, {keys * VALUE_BYTES / (1 << 20):.0f} MiB in {keys} values, filled in {seconds:.0f} s")
    print(f"all of it moved in {end - begin:.1f} s: {keys * VALUE_BYTES / (1 << 20) / (end - begin):.0f} MiB/s")
    print(f"{'other slots':<18} {'op/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'p99.9 ms':>9}")
    p99 = {}
    for name, since, until in (("nothing moves", calm, begin), ("while it moves", begin, end)):
        values = [took for at, took in others if since <= at < until]
        p99[name] = percentile(values, 0.99)
        row = [percentile(values, share) * 1e3 for share in (0.5, 0.99, 0.999)]
        print(f"{name:<18} {len(values) / (until - since):>8.0f} {row[0]:>8.2f} {row[1]:>8.2f} {row[2]:>9.2f}")
    print(f"p99 of the other slots: {p99['while it moves'] / p99['nothing moves']:.2f} times as long")
    # What everybody waits for, such as a slow disk, is no matter of the slot.
    stays = sorted((at, at + took) for at, took in others)
    away = [longest_excess(stays, [(at, took) for at, took in mine if begin <= at < end]) for mine in slots]
    longest = [max(took for at, took in mine if begin <= at < end) for mine in slots]
    print(
        f"the longest write to a slot that moves: {percentile(longest, 0.5) * 1e3:.1f} ms (median of {len(away)} slots),"
        f" {max(longest) * 1e3:.1f} ms (the longest)"
    )
    print(
        f"that it took longer than whatever was under way meanwhile in slots that stay: {percentile(away, 0.5) * 1e3:.1f} ms"
        f" (median), {max(away) * 1e3:.1f} ms (the longest)"
    )


def longest_excess(stays, writes):
    """The most that one of these writes took longer than the other slots' did. A write that was quicker than that is no
    matter."""
    most = 0
    for at, took in sorted(writes, key=lambda write: -write[1]):
        if took <= most:
            break
        most = max(most, excess(stays, at, took))
    return most


def excess(stays, at, took):
    """How much longer a write took than the longest of the other slots' that overlaps it."""
    first = bisect.bisect_left(stays, (at - 3, 0))
    last = bisect.bisect_left(stays, (at + took, 0))
    overlapping = (end - begin for begin, end in stays[first:last] if end > at)
    return max(0, took - max(overlapping, default=0))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--seconds", type=int, default=15)
    arguments = parser.parse_args()
    if not SYNOD.exists():
        sys.exit("move: build first: cargo build --release")
    with Synod(groups=3) as system:
        time.sleep(2)
        asyncio.run(play(system, arguments))


if __name__ == "__main__":
    main()
