"""The suite's tensor benchmarks by the host's own JAX, on its CPU or on a card.

One process measures one benchmark; protocol.py says how it is asked and answers. It needs JAX, and NumPy, which comes
with JAX. It never takes a card's whole memory at once.

    python3 jax_suite.py [--platform cpu] [--card UUID] [--device gpu3] [--require-gpu]
    python3 jax_suite.py --probe [--platform cpu]        one line: which JAX, on which device, or why not

    benchmark           parameters      an iteration                                           processes
    jit_compile         kernel          the first call of a kernel less the next, once a       1 call
                                        process: tracing, lowering and XLA
    tensor_execution    kernel, size    a vector to the device, the kernel, its result back    size elements
    first_action        start           the first action of a policy in a process less the     1 call
                                        next: cold, or compiled ahead (warmed)
    matmul              n               C = A B of n x n matrices in single precision          2 n^3 flops
    policy_forward      batch           observations in, two hidden layers of 256, actions     batch passes
                                        back
    td3_bc_update,      batch           a batch sampled and sent to the device, one update,    batch transitions
    iql_update,                         the critics' loss read back
    cql_update
    update_part         algorithm,      a part of an update: critics moved (value), their      batch transitions
                        part, batch     gradients computed alone (gradients), or gradients
                                        applied by Adam to all critics (application)
    batched_call        form, batch     a policy over a batch of observations: by vmap, or     batch passes
                                        one call each (loop)
    cached_call         state           a compiled kernel called again (warm), or after        1 call
                                        jax.clear_caches(), which compiles anew (cleared)
    deep_gradient       form            the gradient through 32 layers of 128 at batch 1024,  1024 passes
                                        all kept (stored) or computed anew from every eighth
                                        (checkpointed); XLA's own count of memory beside it

A sample is of a group of iterations, each waited for unless the device's work is queued (matmul, deep_gradient).
"""

import argparse
import json
import os
import sys
import time

from protocol import (
    SHORTEST_SAMPLE_S,
    UNAVAILABLE,
    UNKNOWN,
    FAILED,
    Failure,
    Work,
    add_card_options,
    choice,
    choose_card,
    first_line,
    is_same_card,
    sample,
    send,
    serve,
    tell_done,
    warm_up,
    whole,
)

BUFFER = 5000
VECTOR_KERNELS = ("sum_of_squares", "sin_cos_chain")
# As of the built-in runtimes: elements of a vector kernel that is compiled, and rows of the others.
COMPILED_SIZE, COMPILED_BATCH = 10_000, 256


def load_jax(platform):
    """Imports JAX, confined to a platform if one is named."""
    # Else it takes three quarters of a card's memory at once.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if platform is not None:
        os.environ["JAX_PLATFORMS"] = platform
    try:
        import jax

        jax.devices()
    except ImportError as error:
        raise Failure(UNAVAILABLE, f"jax is not there: {first_line(error)}") from error
    except Exception as error:
        raise Failure(UNAVAILABLE, f"jax can't be used: {first_line(error)}") from error
    return jax


def is_gpu(device):
    return device.platform in ("gpu", "cuda", "rocm")


class Suite:
    def __init__(self, jax, seed):
        import numpy

        self.jax, self.jnp, self.numpy = jax, jax.numpy, numpy
        self.chance = numpy.random.default_rng(seed)
        self.pending = None

    def wait(self):
        if self.pending is not None:
            self.jax.block_until_ready(self.pending)

    def normal(self, *shape):
        return self.chance.standard_normal(shape, dtype=self.numpy.float32)

    def uniform(self, *shape):
        return self.chance.uniform(-1, 1, shape).astype(self.numpy.float32)

    def vector_kernel(self, name):
        jnp = self.jnp
        if name == "sum_of_squares":
            return lambda x: jnp.sum(x * x)

        def chain(x):
            for _ in range(4):
                x = jnp.sin(x) + jnp.cos(x)
            return x

        return chain

    def fetched(self, compiled, inputs, unit, per_iteration, metadata):
        """Work whose input goes to the device and whose result comes back, every time."""
        state = {"turn": 0, "result": None}

        def queue(count):
            for _ in range(count):
                state["result"] = self.numpy.asarray(compiled(inputs[state["turn"] % len(inputs)]))
                state["turn"] += 1

        return Work(queue, self.wait, unit, per_iteration, lambda: float(self.numpy.abs(state["result"]).mean()), metadata)

    def queued(self, compiled, arguments, unit, per_iteration, metadata):
        """Work on what is on the device already."""

        def queue(count):
            for _ in range(count):
                self.pending = compiled(*arguments)

        checksum = lambda: float(sum(self.jnp.abs(leaf).mean() for leaf in self.jax.tree.leaves(self.pending)))
        return Work(queue, self.wait, unit, per_iteration, checksum, metadata)

    def memory_of(self, compiled, *arguments):
        """What XLA says that a compiled function takes beside its arguments and results, in MB."""
        analysis = compiled.lower(*arguments).compile().memory_analysis()
        return {} if analysis is None else {"xla_temporary_mb": analysis.temp_size_in_bytes / 1e6}

    def tensor_execution(self, params):
        kernel, size = choice(params, "kernel", VECTOR_KERNELS), whole(params, "size")
        compiled = self.jax.jit(self.vector_kernel(kernel))
        inputs = [self.uniform(size) for _ in range(4)]
        return self.fetched(compiled, inputs, "elements", size, self.memory_of(compiled, inputs[0]))

    def matmul(self, params):
        n = whole(params, "n")
        a, b = (self.jax.device_put(self.normal(n, n) / n**0.5) for _ in range(2))
        precision = self.jax.lax.Precision.HIGHEST
        compiled = self.jax.jit(lambda x, y: self.jnp.matmul(x, y, precision=precision))
        return self.queued(compiled, (a, b), "flops", 2 * n**3, self.memory_of(compiled, a, b))

    def policy(self):
        from learners import ACTIONS, HIDDEN, OBSERVATIONS, act, make_layers

        layers = self.jax.device_put(make_layers(self.chance, [OBSERVATIONS, *HIDDEN, ACTIONS]))
        return OBSERVATIONS, lambda x: act(layers, x)

    def policy_forward(self, params):
        batch = whole(params, "batch")
        observations, act = self.policy()
        inputs = [self.normal(batch, observations) for _ in range(8)]
        metadata = {"network": "12-256-256-3", "includes_transfer": True}
        return self.fetched(self.jax.jit(act), inputs, "passes", batch, metadata)

    def batched_call(self, params):
        form, batch = choice(params, "form", ("vmap", "loop")), whole(params, "batch")
        observations, act = self.policy()
        one = self.jax.jit(act)
        rows = self.jax.device_put(self.normal(batch, observations))
        singles = [rows[i] for i in range(batch)]
        many = self.jax.jit(self.jax.vmap(act))
        call = (lambda: many(rows)) if form == "vmap" else (lambda: [one(each) for each in singles])
        return self.queued(call, (), "passes", batch, {})

    def cached_call(self, params):
        state = choice(params, "state", ("warm", "cleared"))
        compiled = self.jax.jit(self.vector_kernel("sin_cos_chain"))
        x = self.jax.device_put(self.uniform(COMPILED_SIZE))

        def call():
            if state == "cleared":
                self.jax.clear_caches()
            return self.jax.block_until_ready(compiled(x))

        return self.queued(call, (), "calls", 1, {})

    def deep_gradient(self, params):
        form = choice(params, "form", ("stored", "checkpointed"))
        depth, width, group, batch = 32, 128, 8, 1024
        weights = self.jax.device_put([self.normal(width, width) / width**0.5 for _ in range(depth)])
        x = self.jax.device_put(self.normal(batch, width))

        def layers(x, some):
            for each in some:
                x = self.jnp.tanh(x @ each)
            return x

        part = self.jax.checkpoint(layers) if form == "checkpointed" else layers

        def loss(all_weights):
            y = x
            for i in range(0, depth, group):
                y = part(y, all_weights[i : i + group])
            return (y**2).mean()

        gradient = self.jax.jit(self.jax.grad(loss))
        return self.queued(gradient, (weights,), "passes", batch, self.memory_of(gradient, weights))

    def buffer(self):
        from learners import ACTIONS, OBSERVATIONS

        goes_on = (self.chance.random((BUFFER, 1)) > 0.01).astype(self.numpy.float32)
        return [
            self.normal(BUFFER, OBSERVATIONS),
            self.uniform(BUFFER, ACTIONS),
            self.normal(BUFFER, 1),
            self.normal(BUFFER, OBSERVATIONS),
            goes_on,
        ]

    def draw_batch(self, learner, rows, batch):
        chosen = self.chance.integers(0, BUFFER, batch)
        return (*(each[chosen] for each in rows), *learner.draw_chance(self.chance, batch))

    def update(self, algorithm, params):
        from learners import ALGORITHMS

        batch = whole(params, "batch")
        learner, rows = ALGORITHMS[algorithm](), self.buffer()
        compiled = self.jax.jit(learner.update, donate_argnums=0)
        found = {"state": learner.begin(self.chance), "loss": 0.0}

        def queue(count):
            for _ in range(count):
                found["state"], loss = compiled(found["state"], self.draw_batch(learner, rows, batch))
                found["loss"] = float(loss)
                if not self.numpy.isfinite(found["loss"]):
                    raise Failure(FAILED, f"the loss became {found['loss']}")

        metadata = {"buffer": BUFFER, "network": "256-256"}
        return Work(queue, self.wait, "transitions", batch, lambda: found["loss"], metadata)

    def update_part(self, params):
        from learners import ALGORITHMS, apply_gradients, descend

        algorithm = choice(params, "algorithm", tuple(ALGORITHMS))
        part, batch_size = choice(params, "part", ("value", "gradients", "application")), whole(params, "batch")
        learner = ALGORITHMS[algorithm]()
        state = learner.begin(self.chance)
        batch = self.jax.device_put(self.draw_batch(learner, self.buffer(), batch_size))
        loss = lambda state, batch: learner.critic_loss(state, batch)
        if part == "application":
            gradients = self.jax.tree.map(lambda x: 1e-3 * x, state["critics"])
            compiled = self.jax.jit(lambda state, gradients: apply_gradients(state, "critics", gradients, learner.rate)["critics"])
            return self.queued(compiled, (state, gradients), "transitions", batch_size, {})
        if part == "gradients":
            compiled = self.jax.jit(lambda state, batch: self.jax.value_and_grad(loss(state, batch))(state["critics"]))
        else:
            compiled = self.jax.jit(lambda state, batch: descend(state, "critics", loss(state, batch), learner.rate)[0]["critics"])
        return self.queued(compiled, (state, batch), "transitions", batch_size, {})

    def first_call(self, params):
        """The kernel whose first call is measured, in a process that has compiled nothing."""
        kernel = choice(params, "kernel", (*VECTOR_KERNELS, "policy_forward", "td3_bc_update"))
        if kernel in VECTOR_KERNELS:
            work = self.fetched(self.jax.jit(self.vector_kernel(kernel)), [self.uniform(COMPILED_SIZE)], "calls", 1, {})
        elif kernel == "policy_forward":
            work = self.policy_forward({"batch": COMPILED_BATCH})
        else:
            work = self.update("td3_bc", {"batch": COMPILED_BATCH})
        return work

    def first_action(self, params):
        start = choice(params, "start", ("cold", "warmed"))
        observations, act = self.policy()
        inputs = [self.normal(1, observations) for _ in range(8)]
        compiled = self.jax.jit(act)
        if start == "warmed":
            compiled = compiled.lower(inputs[0]).compile()
            for each in inputs * 6:
                self.jax.block_until_ready(compiled(each))
        return self.fetched(compiled, inputs, "calls", 1, {"network": "12-256-256-3"})


def prepare(suite, name, params):
    if name in ("td3_bc_update", "iql_update", "cql_update"):
        return suite.update(name.removesuffix("_update"), params)
    known = ("tensor_execution", "matmul", "policy_forward", "update_part", "batched_call", "cached_call", "deep_gradient")
    if name in known:
        return getattr(suite, name)(params)
    raise Failure(UNKNOWN, f"there is no benchmark {name} in the JAX suite")


def measure_first_call(work, ready):
    send({**ready, "kind": "first-call"})
    times = []
    for _ in range(2):
        started = time.perf_counter()
        work.queue(1)
        work.wait()
        times.append(time.perf_counter() - started)
    # A kernel that was compiled for nothing may be called more quickly than again.
    send({"type": "sample", "seconds": max(times[0] - times[1], 1e-9)})
    work.unit, work.per_iteration = "calls", 1
    tell_done(work, 1, {})


def measure(options, job):
    jax = load_jax(options.platform)
    device = jax.devices()[0]
    if options.require_gpu and not is_gpu(device):
        raise Failure(UNAVAILABLE, f"jax {jax.__version__} sees no GPU, and would run on the CPU")
    name = options.device if is_gpu(device) else device.platform
    ready = {"type": "ready", "device": name, "runtime": "jax", "version": jax.__version__}
    suite = Suite(jax, job["seed"])
    if job["benchmark"] in ("jit_compile", "first_action"):
        first = suite.first_call if job["benchmark"] == "jit_compile" else suite.first_action
        return measure_first_call(first(job["params"]), ready)
    work = prepare(suite, job["benchmark"], job["params"])
    iterations = max(1, round(SHORTEST_SAMPLE_S / warm_up(work)))
    send(ready)
    seconds = sample(work, iterations, job, job["limit_s"])
    send({"type": "samples", "seconds": seconds})
    tell_done(work, iterations, {"library_card": device.device_kind} if is_gpu(device) else {})


def probe(platform):
    """Multiplies two small matrices and reads the product back: what can't compute is not there."""
    try:
        jax = load_jax(platform)
        product = jax.jit(lambda x: x @ x)(jax.numpy.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
        if product != [[7.0, 10.0], [15.0, 22.0]]:
            raise Failure(UNAVAILABLE, f"a product of small matrices is wrong: {product}")
        device = jax.devices()[0]
        kind = "gpu" if is_gpu(device) else device.platform
        found = {"available": True, "device": kind, "kind": device.device_kind, "devices": len(jax.devices()), "version": jax.__version__}
    except Failure as failure:
        found = {"available": False, "reason": str(failure)}
    except Exception as error:
        found = {"available": False, "reason": f"{type(error).__name__}: {first_line(error)}"}
    print(json.dumps(found))


def main():
    parser = argparse.ArgumentParser(description="Measures one benchmark by JAX; the job comes on standard input.")
    parser.add_argument("--platform", help="what JAX is confined to, such as cpu; default: its own choice")
    parser.add_argument("--probe", action="store_true", help="say in one line which JAX there is and whether it computes")
    add_card_options(parser)
    options = parser.parse_args()
    choose_card(options)
    if options.probe:
        return probe(options.platform)
    serve(lambda job: measure(options, job))


if __name__ == "__main__":
    sys.exit(main())
