// A command in plain Node, as docs/command-protocol.md describes them. Its argument chooses how it behaves.
import { createInterface } from "node:readline";

const send = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const input = createInterface({ input: process.stdin });
const behaviour = process.argv[2] ?? "measure";

function work(rounds) {
  let x = 1;
  for (let i = 0; i < rounds; i++) x = (x * 1.000001 + i) % 1000;
  return x;
}

function measure(job) {
  const perSample = 20;
  const until = performance.now() + 1000 * job.limit_s;
  let checksum = job.seed;
  const times = [];
  while (times.length < job.samples && (times.length < job.fewest_samples || performance.now() < until)) {
    const started = performance.now();
    for (let i = 0; i < perSample; i++) checksum += work(job.params.rounds ?? 10_000);
    times.push((performance.now() - started) / 1000 / perSample);
  }
  send({ type: "note", text: "a later version may tell more" });
  send({ type: "samples", seconds: times });
  const processed = { unit: "steps", per_iteration: 2 };
  send({ type: "done", processed, iterations_per_sample: perSample, metadata: { seed: job.seed }, checksum });
}

const ready = { type: "ready", device: "cpu", runtime: "node", version: process.versions.node };

const behaviours = {
  measure: (job) => {
    send(ready);
    measure(job);
  },
  gpu: (job) => {
    send({ ...ready, device: "gpu" });
    measure(job);
  },
  // What it says after it was done is not read.
  babbles: (job) => {
    send(ready);
    measure(job);
    process.stdout.write("good bye\n");
  },
  fails: () => send({ type: "failed", code: "RUNTIME_UNAVAILABLE", message: "there is no such runtime" }),
  inherited: () => send({ type: "failed", code: "toString", message: "a code of no catalogue" }),
  chatters: () => {
    send(ready);
    process.stdout.write("Loading the model, please wait\n");
  },
  early: () => send({ type: "sample", seconds: 1 }),
  floods: () => {
    process.stdout.write("x".repeat(4 << 20));
  },
  crashes: () => {
    process.stderr.write("about to abort\n");
    process.abort();
  },
  leaves: () => process.exit(0),
  hangs: () => {
    send(ready);
    setInterval(() => undefined, 1000);
  },
  // A child of its own holds stdout open, and outlives it unless the group is killed.
  orphans: async (job) => {
    const { spawn } = await import("node:child_process");
    const child = spawn(process.execPath, ["-e", "setInterval(() => undefined, 1000)"], { stdio: "inherit" });
    process.stderr.write(`${child.pid}\n`);
    send({ ...ready, version: String(child.pid) });
    measure(job);
  },
  // Ends neither at the end of its input nor of its own accord.
  lingers: (job) => {
    send(ready);
    measure(job);
    setInterval(() => undefined, 1000);
  },
};

input.once("line", (line) => behaviours[behaviour](JSON.parse(line)));
input.once("close", () => {
  if (behaviour !== "lingers" && behaviour !== "hangs") process.exit(0);
});
