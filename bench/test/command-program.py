"""A command in Python, as docs/command-protocol.md describes them: only the standard library, the shape of a JAX benchmark."""

import json
import platform
import sys
import time


def send(message):
    print(json.dumps(message), flush=True)


def work(rounds):
    x = 1.0
    for i in range(rounds):
        x = (x * 1.000001 + i) % 1000
    return x


def main():
    job = json.loads(sys.stdin.readline())
    rounds = job["params"].get("rounds", 1000)
    work(rounds)  # what would be compiled is compiled here, before the timed section
    send({"type": "ready", "device": "cpu", "runtime": "python", "version": platform.python_version()})
    checksum = 0.0
    taken = 0
    until = time.perf_counter() + job["limit_s"]
    while taken < job["samples"] and (taken < job["fewest_samples"] or time.perf_counter() < until):
        started = time.perf_counter()
        checksum += work(rounds)
        send({"type": "sample", "seconds": time.perf_counter() - started})
        taken += 1
    send({"type": "done", "processed": {"unit": "calls", "per_iteration": 1}, "checksum": checksum})
    sys.stdin.read()  # until we are not needed any more


main()
