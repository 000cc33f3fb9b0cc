"""What every program of this folder does alike: it reads a job, measures it and tells, as docs/command-protocol.md says.

One process measures one benchmark: a job comes as a line of JSON on standard input, and what was measured goes out as
lines of JSON on standard output.
"""

import json
import os
import sys
import time

FAILED = "BENCHMARK_FAILED"
UNAVAILABLE = "RUNTIME_UNAVAILABLE"
UNKNOWN = "BENCHMARK_UNKNOWN"

# Seconds that a sample takes at least: the clock and the waiting are then less than a thousandth of it.
SHORTEST_SAMPLE_S = 5e-3
WARM_UP_S = 0.3


class Failure(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def send(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


class Work:
    """What is measured: `queue(k)` queues k iterations, `wait()` waits until they are done.

    unit, per_iteration: what an iteration processes. checksum() is called once, after all samples.
    """

    def __init__(self, queue, wait, unit, per_iteration, checksum, metadata=None):
        self.queue = queue
        self.wait = wait
        self.unit = unit
        self.per_iteration = per_iteration
        self.checksum = checksum
        self.metadata = metadata or {}


def first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def choice(params, name, allowed):
    if params.get(name) not in allowed:
        raise Failure(FAILED, f"{name} is one of {', '.join(allowed)}, not {params.get(name)!r}")
    return params[name]


def whole(params, name):
    value = params.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1 << 20:
        raise Failure(FAILED, f"{name} is a whole number from 1 to {1 << 20}, not {value!r}")
    return value


def take(work, iterations):
    started = time.perf_counter()
    work.queue(iterations)
    work.wait()
    return (time.perf_counter() - started) / iterations


def warm_up(work):
    """Runs until clocks have risen and libraries have chosen their kernels; returns seconds per iteration."""
    until = time.perf_counter() + WARM_UP_S
    taken = [take(work, 1)]
    while time.perf_counter() < until or len(taken) < 3:
        taken.append(take(work, 1))
    return sorted(taken)[len(taken) // 2]


def sample(work, iterations, job, limit_s):
    """Takes samples as many as the job wants within its limit; slow work may pass it somewhat to have the fewest."""
    seconds = []
    fewest = job["fewest_samples"]
    started = time.perf_counter()
    while len(seconds) < job["samples"]:
        passed = time.perf_counter() - started
        if passed >= limit_s and (len(seconds) >= fewest or passed >= 2.5 * limit_s):
            break
        seconds.append(take(work, iterations))
    return seconds


def tell_done(work, iterations, metadata):
    send(
        {
            "type": "done",
            "processed": {"unit": work.unit, "per_iteration": work.per_iteration},
            "iterations_per_sample": iterations,
            "metadata": {**work.metadata, **metadata},
            "checksum": work.checksum(),
        }
    )


def serve(measure):
    """Reads the job, has it measured, tells of what failed in one line, and waits until its input ends."""
    try:
        job = json.loads(sys.stdin.readline())
        if job.get("protocol") != 1:
            raise Failure(FAILED, f"protocol {job.get('protocol')!r} is not known here")
        measure(job)
    except Failure as failure:
        send({"type": "failed", "code": failure.code, "message": str(failure)})
    except Exception as error:
        send({"type": "failed", "message": f"{type(error).__name__}: {first_line(error)}"})
    sys.stdin.read()


def is_same_card(asked, seen):
    """Whether a library sees the card that it was asked for; one that does not tell is believed."""
    bare = lambda uuid: uuid.lower().removeprefix("gpu-")
    return asked is None or not asked.startswith("GPU-") or seen == "" or bare(asked) == bare(seen)


def add_card_options(parser):
    parser.add_argument("--card", help="UUID of the card or of its MIG slice; default: the library's first")
    parser.add_argument("--device", default="gpu", help="what the card is called in results, such as gpu3")
    parser.add_argument("--require-gpu", action="store_true", help="fail instead of running on the CPU")


def choose_card(options):
    """Confines libraries to the card that is asked for; before one is loaded, for afterwards it has chosen."""
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    if options.card is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = options.card
