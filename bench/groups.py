#!/usr/bin/env python3
"""The store with 1, 2 and 4 groups on one machine: what an operation costs when the slots are shared by more groups.

    cargo build --release && bench/groups.py [--rounds 3] [--seconds 6]

Three nodes, each with a member of every group, share the machine with the load generator. The connections are shared by
the nodes, which pass on what they do not lead. The numbers of groups take turns, each round on fresh data in a temporary
directory. Prints the median of the rounds with the least and the most, the processor time of all nodes an operation, and
how that compares with one group.
"""

import argparse
import os
import statistics
import sys
import time

from compare import KEYS, SYNOD, VALUE_BYTES, Synod

GROUPS = (1, 2, 4)
LOADS = (("set", 256, 1), ("get", 256, 1), ("set", 64, 16), ("get", 64, 16))


def measure(system, operation, clients, pipeline, seconds):
    before = system.cpu_seconds()
    ports = ",".join(str(port) for port in system.ports)
    report = system.load_by_synod(ports, operation, clients, seconds, pipeline)
    report["cpu"] = (system.cpu_seconds() - before) * 1e6 / max(report["requests"], 1)
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=6)
    arguments = parser.parse_args()
    if not SYNOD.exists():
        sys.exit("groups: build first: cargo build --release")
    found = {}
    for _ in range(arguments.rounds):
        for groups in GROUPS:
            with Synod(groups) as system:
                # Every group has a leader, and the nodes know it.
                time.sleep(2)
                for load in LOADS:
                    found.setdefault((load, groups), []).append(measure(system, *load, arguments.seconds))
    print(f"{os.cpu_count()} cores, {VALUE_BYTES}-byte values, {KEYS} keys, {arguments.rounds} rounds of {arguments.seconds} s")
    head = f"{'op':<4} {'clients':>7} {'in flight':>9} {'groups':>6} {'op/s (least to most)':>28} {'p50 ms':>8} {'p99 ms':>8}"
    print(head + f" {'CPU µs/op (least to most)':>28} {'to one':>7} {'errors':>6}")
    for load in LOADS:
        operation, clients, pipeline = load
        for groups in GROUPS:
            rounds = found[load, groups]
            column = lambda key: [one[key] for one in rounds]
            middle = lambda key: statistics.median(column(key))
            spread = lambda key, digits: (
                f"{middle(key):.{digits}f} ({min(column(key)):.{digits}f} to {max(column(key)):.{digits}f})"
            )
            one = statistics.median(report["cpu"] for report in found[load, 1])
            print(
                f"{operation:<4} {clients:>7} {pipeline:>9} {groups:>6} {spread('rate', 0):>28} {middle('p50'):>8.2f}"
                f" {middle('p99'):>8.2f} {spread('cpu', 1):>28} {middle('cpu') / one:>7.2f} {sum(column('errors')):>6.0f}"
            )


if __name__ == "__main__":
    main()
