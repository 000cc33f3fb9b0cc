"""The GPU suite: what one card does, measured by the library that its host has.

One process measures one benchmark on one card; protocol.py says how it is asked and answers. It needs JAX, CuPy or
PyTorch and nothing else.

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

dtype: f32 (true single precision), tf32, bf16, fp16, fp8 (e4m3). Work is queued and waited for in groups, so that the
time to launch a kernel is not part of it. A card whose product is wrong fails the benchmark: that is silent corruption.
"""

import argparse
import os

from protocol import (
    FAILED,
    SHORTEST_SAMPLE_S,
    UNAVAILABLE,
    UNKNOWN,
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

# Seconds that a sample of a sustained load takes at least.
SUSTAINED_SAMPLE_S = 0.1


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
    raise Failure(UNKNOWN, f"there is no benchmark {name} in the GPU suite")


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
    seconds = sample(work, iterations, job, job["limit_s"] if sustained_s is None else sustained_s)
    send({"type": "samples", "seconds": seconds})
    tell_done(work, iterations, {**library.facts, **(describe_course(seconds) if sustained_s is not None else {})})


def main():
    parser = argparse.ArgumentParser(description="Measures one benchmark of the GPU suite; the job comes on standard input.")
    parser.add_argument("--library", required=True, choices=sorted(LIBRARIES))
    add_card_options(parser)
    options = parser.parse_args()
    choose_card(options)
    serve(lambda job: measure(options, job))


if __name__ == "__main__":
    main()
