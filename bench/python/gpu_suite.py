"""The GPU suite: what one card does, measured by the library that its host has.

One process measures one benchmark on one card, as docs/command-protocol.md says: a job comes as a line of JSON on
standard input, and what was measured goes out as lines of JSON. It needs JAX, CuPy or PyTorch and nothing else.

    python3 gpu_suite.py --library torch [--card UUID] [--device gpu3] [--require-gpu]

    benchmark      parameters        an iteration                                        processes
    gpu_launch                       one tiny kernel, waited for                         1 call
    gpu_gemm       dtype, n          C = A B of n x n matrices                           2 n^3 flops
    gpu_triad      mib               a = b + s c of float32 vectors of mib MiB each      3 mib MiB
    gpu_copy       direction, mib    a copy host to device (h2d), back (d2h) or within   mib MiB, twice that within
                                     the device (d2d), from and to pinned memory
                                     where the library has it
    gpu_check      n                 a product of whole numbers, compared with what it   2 n^3 flops
                                     must be, element by element
    gpu_sustained  dtype, n,         products without a pause; a sample is a tenth of    2 n^3 flops
                   seconds           a second or more, and their course shows throttling
    policy_forward batch             observations to the card, two hidden layers of      batch passes
                                     256, actions back (JAX)
    td3_bc_update  batch             a batch sampled and sent to the card, one update    batch transitions
                                     of TD3+BC (Fujimoto & Gu 2021), the loss read back
                                     (JAX)

dtype: f32 (true single precision), tf32, bf16, fp16, fp8 (e4m3). Work is queued and waited for in groups, so that the
time to launch a kernel is not part of it. A card whose product is wrong fails the benchmark: that is silent corruption.
"""

import argparse
import json
import os
import sys
import time

FAILED = "BENCHMARK_FAILED"
UNAVAILABLE = "RUNTIME_UNAVAILABLE"

# Seconds that a sample takes at least: the clock and the waiting are then less than a thousandth of it.
SHORTEST_SAMPLE_S = 5e-3
SUSTAINED_SAMPLE_S = 0.1
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


def whole_numbers(n, seed):
    """Matrices of whole numbers from -3 to 3: sums of n products are exact in single precision for n <= 8192."""
    import numpy

    chance = numpy.random.default_rng(seed)
    return [chance.integers(-3, 4, size=(n, n)).astype(numpy.float32) for _ in range(2)]


def small_matrices(n, seed):
    """Matrices of normal numbers, scaled so that chains of products stay near one."""
    import numpy

    chance = numpy.random.default_rng(seed)
    return [chance.standard_normal((n, n), dtype=numpy.float32) / n**0.5 for _ in range(2)]


class Torch:
    name = "torch"

    def __init__(self):
        import torch

        self.torch = torch
        self.version = torch.__version__
        self.on_gpu = torch.cuda.is_available()
        self.device = torch.device("cuda:0" if self.on_gpu else "cpu")
        self.facts = {}
        if self.on_gpu:
            seen = torch.cuda.get_device_properties(0)
            self.facts = {"library_card": seen.name, "library_card_memory_mib": seen.total_memory >> 20}
            self.uuid = str(getattr(seen, "uuid", ""))
            self.facts["cuda"] = str(torch.version.cuda or torch.version.hip)

    uuid = ""

    def wait(self):
        if self.on_gpu:
            self.torch.cuda.synchronize()

    def launch(self):
        one = self.torch.zeros(1, device=self.device)

        def queue(count):
            for _ in range(count):
                one.add_(1)
                self.wait()

        return Work(queue, self.wait, "calls", 1, lambda: float(one.sum().item()) * 0 + 1)

    def put(self, array):
        return self.torch.from_numpy(array).to(self.device)

    def gemm(self, dtype, n, seed):
        torch = self.torch
        a, b = (self.put(each) for each in small_matrices(n, seed))
        torch.backends.cuda.matmul.allow_tf32 = dtype == "tf32"
        if dtype == "fp8":
            multiply = self._fp8(a, b)
        else:
            types = {"f32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
            a, b = a.to(types[dtype]), b.to(types[dtype])
            c = torch.empty_like(a)

            def multiply():
                return torch.mm(a, b, out=c)

        last = []

        def queue(count):
            for _ in range(count):
                last[:] = [multiply()]

        return Work(queue, self.wait, "flops", 2 * n**3, lambda: float(last[0].float().abs().mean().item()))

    def _fp8(self, a, b):
        torch = self.torch
        try:
            kind = torch.float8_e4m3fn
            # The second factor is wanted column by column.
            left, right = a.to(kind), b.t().contiguous().to(kind).t()
            one = torch.ones((), device=self.device)

            def multiply():
                return torch._scaled_mm(left, right, scale_a=one, scale_b=one, out_dtype=torch.bfloat16)

            multiply()
            self.wait()
            return multiply
        except Exception as error:
            raise Failure(UNAVAILABLE, f"no fp8 product by torch here: {first_line(error)}") from error

    def triad(self, mib):
        torch = self.torch
        count = mib << 18
        b, c = (torch.full((count,), value, device=self.device) for value in (1.0, 2.0))
        a = torch.empty_like(b)

        def queue(times):
            for _ in range(times):
                torch.add(b, c, alpha=3.0, out=a)

        return Work(queue, self.wait, "bytes", 3 * mib << 20, lambda: float(a[:1000].mean().item()))

    def copy(self, direction, mib):
        torch = self.torch
        count = mib << 18
        on_host = torch.ones(count, pin_memory=self.on_gpu)
        on_device = torch.zeros(count, device=self.device)
        other = torch.ones(count, device=self.device)
        source, target = {
            "h2d": (on_host, on_device),
            "d2h": (on_device, on_host),
            "d2d": (other, on_device),
        }[direction]

        def queue(times):
            for _ in range(times):
                target.copy_(source, non_blocking=True)

        return Work(queue, self.wait, "bytes", copied(direction, mib), lambda: float(target[:10].sum().item()), {"pinned": self.on_gpu})

    def product(self, a, b, expected):
        self.torch.backends.cuda.matmul.allow_tf32 = False
        left, right = self.put(a), self.put(b)
        known = self.put(expected)
        return lambda: self.torch.mm(left, right), lambda got: int((got != known).sum().item())


class Jax:
    name = "jax"
    uuid = ""

    def __init__(self):
        # Else it takes three quarters of the card's memory at once.
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        import jax

        self.jax = jax
        self.version = jax.__version__
        self.device = jax.devices()[0]
        self.on_gpu = self.device.platform in ("gpu", "cuda", "rocm")
        self.facts = {"library_card": self.device.device_kind} if self.on_gpu else {}
        self.pending = None

    def wait(self):
        if self.pending is not None:
            self.pending.block_until_ready()

    def put(self, array):
        return self.jax.device_put(array, self.device)

    def launch(self):
        step = self.jax.jit(lambda x: x + 1)
        state = {"x": step(self.jax.numpy.zeros(1))}

        def queue(count):
            for _ in range(count):
                state["x"] = step(state["x"])
                state["x"].block_until_ready()

        return Work(queue, self.wait, "calls", 1, lambda: float(state["x"][0]) * 0 + 1)

    def _repeat(self, function, arguments, unit, per_iteration):
        compiled = self.jax.jit(function)

        def queue(count):
            for _ in range(count):
                self.pending = compiled(*arguments)

        checksum = lambda: float(self.jax.numpy.abs(self.pending.reshape(-1)[:1000].astype("float32")).mean())
        return Work(queue, self.wait, unit, per_iteration, checksum)

    def gemm(self, dtype, n, seed):
        numpy, lax = self.jax.numpy, self.jax.lax
        a, b = (self.put(each) for each in small_matrices(n, seed))
        if dtype == "fp8":
            raise Failure(UNAVAILABLE, "an fp8 product by jax is not measured")
        types = {"f32": numpy.float32, "tf32": numpy.float32, "bf16": numpy.bfloat16, "fp16": numpy.float16}
        a, b = a.astype(types[dtype]), b.astype(types[dtype])
        precision = lax.Precision.HIGHEST if dtype == "f32" else lax.Precision.DEFAULT
        if dtype == "tf32" and self.on_gpu:
            precision = lax.DotAlgorithmPreset.TF32_TF32_F32
        return self._repeat(lambda x, y: numpy.matmul(x, y, precision=precision), (a, b), "flops", 2 * n**3)

    def triad(self, mib):
        numpy = self.jax.numpy
        count = mib << 18
        b, c = numpy.full((count,), 1.0), numpy.full((count,), 2.0)
        return self._repeat(lambda x, y: x + 3.0 * y, (b, c), "bytes", 3 * mib << 20)

    def copy(self, direction, mib):
        import numpy

        count = mib << 18
        on_host = numpy.ones(count, numpy.float32)
        on_device = self.put(on_host)
        if direction == "d2d":
            work = self._repeat(lambda x: x * 1.0000001, (on_device,), "bytes", copied(direction, mib))
            return work
        state = {"last": on_device}

        def queue(times):
            for _ in range(times):
                if direction == "h2d":
                    self.pending = self.put(on_host)
                else:
                    # A device array remembers what it was fetched as: each time another one is fetched.
                    state["last"] = numpy.asarray(self.jax.numpy.asarray(on_device).copy())

        checksum = lambda: float(count)
        return Work(queue, self.wait, "bytes", copied(direction, mib), checksum, {"pinned": False})

    def product(self, a, b, expected):
        numpy = self.jax.numpy
        left, right, known = self.put(a), self.put(b), self.put(expected)
        precision = self.jax.lax.Precision.HIGHEST
        multiply = self.jax.jit(lambda x, y: numpy.matmul(x, y, precision=precision))
        count = self.jax.jit(lambda x, y: (x != y).sum())
        return lambda: multiply(left, right), lambda got: int(count(got, known))


    def policy_forward(self, batch, seed):
        import numpy

        chance = numpy.random.default_rng(seed)
        layers = [self.put(each) for each in make_layers(chance, [OBSERVATIONS, *HIDDEN, ACTIONS])]
        inputs = [chance.standard_normal((batch, OBSERVATIONS), dtype=numpy.float32) for _ in range(8)]
        act = self.jax.jit(lambda net, x: self.jax.numpy.tanh(forward(self.jax.numpy, net, x)))
        state = {"turn": 0, "actions": None}

        def queue(count):
            for _ in range(count):
                state["actions"] = numpy.asarray(act(layers, inputs[state["turn"] % 8]))
                state["turn"] += 1

        return Work(queue, self.wait, "passes", batch, lambda: float(numpy.abs(state["actions"]).mean()), {"network": "12-256-256-3", "includes_transfer": True})

    def td3_bc_update(self, batch, seed):
        import numpy

        chance = numpy.random.default_rng(seed)
        rows = [
            chance.standard_normal((BUFFER, OBSERVATIONS), dtype=numpy.float32),
            chance.uniform(-1, 1, (BUFFER, ACTIONS)).astype(numpy.float32),
            chance.standard_normal((BUFFER, 1), dtype=numpy.float32),
            chance.standard_normal((BUFFER, OBSERVATIONS), dtype=numpy.float32),
            (chance.random((BUFFER, 1)) > 0.01).astype(numpy.float32),
        ]
        learner = Td3Bc(self.jax, chance)
        found = {"loss": 0.0}

        def queue(count):
            for _ in range(count):
                chosen = chance.integers(0, BUFFER, batch)
                noise = chance.standard_normal((batch, ACTIONS), dtype=numpy.float32)
                found["loss"] = learner.update([*(each[chosen] for each in rows), noise])

        metadata = {"buffer": BUFFER, "policy_delay": POLICY_DELAY, "network": "256-256"}
        return Work(queue, self.wait, "transitions", batch, lambda: found["loss"], metadata)


# ChemicalReactor-v0, and the networks of the reference implementation of TD3+BC.
OBSERVATIONS, ACTIONS, HIDDEN = 12, 3, (256, 256)
BUFFER = 5000
POLICY_DELAY = 1


def make_layers(chance, widths):
    """Weights and biases, uniform within 1 / sqrt(inputs), as PyTorch's linear layers begin."""
    import numpy

    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        bound = inputs**-0.5
        layers.append(chance.uniform(-bound, bound, (inputs, outputs)).astype(numpy.float32))
        layers.append(chance.uniform(-bound, bound, (outputs,)).astype(numpy.float32))
    return layers


def forward(numpy, layers, x):
    """A multilayer perceptron: ReLU between layers, nothing behind the last."""
    for i in range(0, len(layers), 2):
        x = x @ layers[i] + layers[i + 1]
        if i + 2 < len(layers):
            x = numpy.maximum(x, 0)
    return x


class Td3Bc:
    """TD3+BC (Fujimoto & Gu 2021, equations 4 and 5, table 2) on TD3 (Fujimoto et al. 2018); actions in [-1, 1]."""

    def __init__(self, jax, chance):
        numpy = jax.numpy
        critic = lambda: make_layers(chance, [OBSERVATIONS + ACTIONS, *HIDDEN, 1])
        actor, critics = make_layers(chance, [OBSERVATIONS, *HIDDEN, ACTIONS]), [critic(), critic()]
        zeros = lambda tree: jax.tree.map(numpy.zeros_like, tree)
        self.state = jax.device_put(
            {
                "actor": actor,
                "critics": critics,
                "targets": (actor, critics),
                "adam": {key: (zeros(of), zeros(of), 0.0) for key, of in (("actor", actor), ("critics", critics))},
            }
        )
        self.updates = 0
        tree = jax.tree

        def value(critic, observations, actions):
            return forward(numpy, critic, numpy.concatenate([observations, actions], 1))

        def adam(parameters, gradients, moments, rate=3e-4, first=0.9, second=0.999, tiny=1e-8):
            mean, square, steps = moments
            steps = steps + 1
            mean = tree.map(lambda m, g: first * m + (1 - first) * g, mean, gradients)
            square = tree.map(lambda v, g: second * v + (1 - second) * g * g, square, gradients)
            step = lambda p, m, v: p - rate * (m / (1 - first**steps)) / (numpy.sqrt(v / (1 - second**steps)) + tiny)
            return tree.map(step, parameters, mean, square), (mean, square, steps)

        def update_critics(state, batch):
            observations, actions, rewards, following, goes_on, normal = batch
            actor, critics = state["targets"]
            noise = numpy.clip(0.2 * normal, -0.5, 0.5)
            smoothed = numpy.clip(numpy.tanh(forward(numpy, actor, following)) + noise, -1, 1)
            target = rewards + 0.99 * goes_on * numpy.minimum(*(value(each, following, smoothed) for each in critics))
            loss_of = lambda critics: sum(((value(each, observations, actions) - target) ** 2).mean() for each in critics)
            loss, gradients = jax.value_and_grad(loss_of)(state["critics"])
            critics, moments = adam(state["critics"], gradients, state["adam"]["critics"])
            return {**state, "critics": critics, "adam": {**state["adam"], "critics": moments}}, loss

        def update_all(state, batch):
            state, loss = update_critics(state, batch)
            observations, actions = batch[:2]

            def loss_of(actor):
                chosen = numpy.tanh(forward(numpy, actor, observations))
                values = value(state["critics"][0], observations, chosen)
                scale = jax.lax.stop_gradient(numpy.abs(values).mean())
                return -2.5 * values.mean() / scale + ((chosen - actions) ** 2).mean()

            gradients = jax.grad(loss_of)(state["actor"])
            actor, moments = adam(state["actor"], gradients, state["adam"]["actor"])
            track = lambda network, target: 0.005 * network + 0.995 * target
            targets = tree.map(track, (actor, state["critics"]), state["targets"])
            return {**state, "actor": actor, "targets": targets, "adam": {**state["adam"], "actor": moments}}, loss

        self.update_critics, self.update_all = (jax.jit(each, donate_argnums=0) for each in (update_critics, update_all))

    def update(self, batch):
        """Learns from (observations, actions, rewards, next observations, 1 - done, noise); returns the critics' loss."""
        self.updates += 1
        run = self.update_all if self.updates % POLICY_DELAY == 0 else self.update_critics
        self.state, loss = run(self.state, batch)
        return float(loss)


class Cupy:
    name = "cupy"

    def __init__(self):
        import cupy

        self.cupy = cupy
        self.version = cupy.__version__
        self.on_gpu = cupy.cuda.runtime.getDeviceCount() > 0
        seen = cupy.cuda.runtime.getDeviceProperties(0)
        self.facts = {"library_card": seen["name"].decode()}
        raw = seen.get("uuid", b"")
        digits = raw.hex() if isinstance(raw, bytes) else ""
        self.uuid = "-".join(digits[i:j] for i, j in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))) if len(digits) == 32 else ""

    def wait(self):
        self.cupy.cuda.get_current_stream().synchronize()

    def launch(self):
        one = self.cupy.zeros(1, self.cupy.float32)

        def queue(count):
            for _ in range(count):
                self.cupy.add(one, 1, out=one)
                self.wait()

        return Work(queue, self.wait, "calls", 1, lambda: float(one[0]) * 0 + 1)

    def gemm(self, dtype, n, seed):
        if dtype not in ("f32", "tf32", "fp16"):
            raise Failure(UNAVAILABLE, f"cupy has no {dtype} product")
        # CuPy reads this when it multiplies.
        os.environ["CUPY_TF32"] = "1" if dtype == "tf32" else "0"
        kind = self.cupy.float16 if dtype == "fp16" else self.cupy.float32
        a, b = (self.cupy.asarray(each).astype(kind) for each in small_matrices(n, seed))
        c = self.cupy.empty_like(a)

        def queue(count):
            for _ in range(count):
                self.cupy.matmul(a, b, out=c)

        return Work(queue, self.wait, "flops", 2 * n**3, lambda: float(self.cupy.abs(c[0].astype(self.cupy.float32)).mean()))

    def triad(self, mib):
        count = mib << 18
        b, c = (self.cupy.full(count, value, self.cupy.float32) for value in (1.0, 2.0))
        a = self.cupy.empty_like(b)
        kernel = self.cupy.ElementwiseKernel("float32 b, float32 c", "float32 a", "a = b + 3.0f * c", "triad")

        def queue(times):
            for _ in range(times):
                kernel(b, c, a)

        return Work(queue, self.wait, "bytes", 3 * mib << 20, lambda: float(a[:1000].mean()))

    def copy(self, direction, mib):
        import numpy

        count, size = mib << 18, mib << 20
        memory = self.cupy.cuda.alloc_pinned_memory(size)
        on_host = numpy.frombuffer(memory, numpy.float32, count)
        on_host[:] = 1
        on_device, other = (self.cupy.ones(count, self.cupy.float32) for _ in range(2))
        stream = self.cupy.cuda.get_current_stream()

        def queue(times):
            for _ in range(times):
                if direction == "h2d":
                    on_device.data.copy_from_host_async(on_host.ctypes.data, size, stream)
                elif direction == "d2h":
                    on_device.data.copy_to_host_async(on_host.ctypes.data, size, stream)
                else:
                    on_device.data.copy_from_device_async(other.data, size, stream)

        return Work(queue, self.wait, "bytes", copied(direction, mib), lambda: float(on_device[:10].sum()), {"pinned": True})

    def product(self, a, b, expected):
        os.environ["CUPY_TF32"] = "0"
        left, right, known = (self.cupy.asarray(each) for each in (a, b, expected))
        return lambda: left @ right, lambda got: int((got != known).sum())


LIBRARIES = {"torch": Torch, "jax": Jax, "cupy": Cupy}


def copied(direction, mib):
    """Bytes that a copy moves: within the device each is read and written."""
    return (2 if direction == "d2d" else 1) * mib << 20


def first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def check(library, n, seed):
    """A product whose every element is known. The expected one is computed once on the host, in float64."""
    import numpy

    a, b = whole_numbers(n, seed)
    expected = (a.astype(numpy.float64) @ b.astype(numpy.float64)).astype(numpy.float32)
    multiply, count_wrong = library.product(a, b, expected)
    found = {"products": 0, "wrong": 0}

    def queue(count):
        for _ in range(count):
            wrong = count_wrong(multiply())
            found["products"] += 1
            found["wrong"] += wrong
            if wrong:
                raise Failure(FAILED, f"the card computed {wrong} of {n * n} elements wrong, in product {found['products']}: silent corruption")

    return Work(queue, library.wait, "flops", 2 * n**3, lambda: float(expected.sum()), found)


def prepare(library, name, params, seed):
    if name == "gpu_launch":
        return library.launch()
    if name in ("gpu_gemm", "gpu_sustained"):
        return library.gemm(choice(params, "dtype", ("f32", "tf32", "bf16", "fp16", "fp8")), whole(params, "n"), seed)
    if name == "gpu_triad":
        return library.triad(whole(params, "mib"))
    if name == "gpu_copy":
        return library.copy(choice(params, "direction", ("h2d", "d2h", "d2d")), whole(params, "mib"))
    if name == "gpu_check":
        n = whole(params, "n")
        if n > 8192:
            raise Failure(FAILED, "products of whole numbers are exact up to n = 8192")
        return check(library, n, seed)
    if name in ("policy_forward", "td3_bc_update"):
        if not hasattr(library, name):
            raise Failure(UNAVAILABLE, f"{name} is measured by jax, not by {library.name}")
        return getattr(library, name)(whole(params, "batch"), seed)
    raise Failure("BENCHMARK_UNKNOWN", f"there is no benchmark {name} in the GPU suite")


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


def sample(work, iterations, job, sustained_s):
    seconds = []
    limit = sustained_s if sustained_s is not None else job["limit_s"]
    fewest = job["fewest_samples"]
    started = time.perf_counter()
    while len(seconds) < job["samples"]:
        passed = time.perf_counter() - started
        if passed >= limit and (len(seconds) >= fewest or passed >= 2.5 * limit):
            break
        seconds.append(take(work, iterations))
    return seconds


def describe_course(seconds):
    """How the last tenth of a sustained load compares with the first."""
    part = max(1, len(seconds) // 10)
    first, last = (sorted(each)[len(each) // 2] for each in (seconds[:part], seconds[-part:]))
    return {"slowdown_percent": round(100 * (last / first - 1), 3)}


def choose_library(wanted):
    try:
        return LIBRARIES[wanted]()
    except ImportError as error:
        raise Failure(UNAVAILABLE, f"{wanted} is not there: {first_line(error)}") from error
    except Exception as error:
        raise Failure(UNAVAILABLE, f"{wanted} can't be used: {first_line(error)}") from error


def is_same_card(asked, seen):
    """Whether a library sees the card that it was asked for; one that does not tell is believed."""
    bare = lambda uuid: uuid.lower().removeprefix("gpu-")
    return asked is None or not asked.startswith("GPU-") or seen == "" or bare(asked) == bare(seen)


def measure(options, job):
    library = choose_library(options.library)
    if not library.on_gpu and options.require_gpu:
        raise Failure(UNAVAILABLE, f"{library.name} {library.version} sees no GPU, and would run on the CPU")
    if library.on_gpu and not is_same_card(options.card, library.uuid):
        raise Failure(FAILED, f"{library.name} runs on card {library.uuid}, and {options.card} was asked for")
    name, params = job["benchmark"], job["params"]
    sustained_s = whole(params, "seconds") if name == "gpu_sustained" else None
    work = prepare(library, name, params, job["seed"])
    per_iteration_s = warm_up(work)
    shortest = SHORTEST_SAMPLE_S if sustained_s is None else SUSTAINED_SAMPLE_S
    iterations = max(1, round(shortest / per_iteration_s))
    device = options.device if library.on_gpu else "cpu"
    send({"type": "ready", "device": device, "runtime": library.name, "version": library.version})
    seconds = sample(work, iterations, job, sustained_s)
    send({"type": "samples", "seconds": seconds})
    metadata = {**library.facts, **work.metadata, **(describe_course(seconds) if sustained_s is not None else {})}
    send(
        {
            "type": "done",
            "processed": {"unit": work.unit, "per_iteration": work.per_iteration},
            "iterations_per_sample": iterations,
            "metadata": metadata,
            "checksum": work.checksum(),
        }
    )


def parse_options():
    parser = argparse.ArgumentParser(description="Measures one benchmark of the GPU suite; the job comes on standard input.")
    parser.add_argument("--library", required=True, choices=sorted(LIBRARIES))
    parser.add_argument("--card", help="UUID of the card or of its MIG slice; default: the library's first")
    parser.add_argument("--device", default="gpu", help="what the card is called in results, such as gpu3")
    parser.add_argument("--require-gpu", action="store_true", help="fail instead of running on the CPU")
    return parser.parse_args()


def main():
    options = parse_options()
    # Before a library is loaded: afterwards it has chosen.
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    if options.card is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = options.card
    try:
        job = json.loads(sys.stdin.readline())
        if job.get("protocol") != 1:
            raise Failure(FAILED, f"protocol {job.get('protocol')!r} is not known here")
        measure(options, job)
    except Failure as failure:
        send({"type": "failed", "code": failure.code, "message": str(failure)})
    except Exception as error:
        send({"type": "failed", "message": f"{type(error).__name__}: {first_line(error)}"})
    sys.stdin.read()


if __name__ == "__main__":
    main()
