import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Where a run takes place: namespaces of its own for network, mounts and processes. Whatever becomes of the run, the
 * kernel takes its addresses, mounts and processes away with it.
 */

const inside = "INSIDE_TEST_SANDBOX";

/** Options of unshare(1), as root and as anyone who may make user namespaces. */
function describeNamespaces(): string[] {
  const own = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  return process.getuid?.() === 0 ? own : ["--user", "--map-root-user", ...own];
}

/** Says why there can be no sandbox here; undefined where there can. */
function findObstacle(): string | undefined {
  const { error, status, stderr } = spawnSync("unshare", [...describeNamespaces(), "true"], { encoding: "utf8" });
  if (error !== undefined) return `unshare: ${error.message}`;
  return status === 0 ? undefined : `unshare: ${stderr.trim()}`;
}

/** The sandbox that this process is in; without one, faults that need it are left out. */
export interface Sandbox {
  /** A temporary folder, which is removed when the program has ended. */
  readonly folder: string;
  /** Why this is no sandbox; undefined if it is one. */
  readonly obstacle: string | undefined;
}

/**
 * Runs this program again inside a sandbox and exits as that does; inside it, or where there can be none, returns. An
 * interrupt is passed on as a message, and the one inside ends with the one outside.
 * @param keep whether the folder is to stay
 */
export function enterSandbox(keep: boolean): Promise<Sandbox> {
  const given = process.env[inside];
  if (given !== undefined) {
    execFileSync("ip", ["link", "set", "lo", "up"]);
    process.on("disconnect", () => process.exit(1));
    return Promise.resolve({ folder: given, obstacle: undefined });
  }
  const folder = mkdtempSync(join(tmpdir(), "fleetmark-sandbox-"));
  process.once("exit", () => {
    if (!keep) rmSync(folder, { recursive: true, force: true });
  });
  const obstacle = findObstacle();
  if (obstacle !== undefined) return Promise.resolve({ folder, obstacle });
  const child = spawn("unshare", [...describeNamespaces(), process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    env: { ...process.env, [inside]: folder },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.send("stop"));
  return new Promise(() => {
    child.once("exit", (code) => process.exit(code ?? 1));
  });
}

/** A network namespace beside that of this process, joined to it by a pair of virtual interfaces. */
export interface Wire {
  /** Address of this side, as the far side reaches it. */
  readonly address: string;
  /** Puts a program on the far side. */
  readonly prefix: readonly string[];
  /** Whether delay and loss are those of netem; otherwise they are made with tbf and blackhole. */
  readonly netem: boolean;
  /** Nothing arrives any more, and nobody is told: in both directions, or only in one. */
  cut(direction: "both" | "to-far" | "from-far"): void;
  /** Packets take their time. */
  delay(): void;
  /** Some packets are lost. */
  lose(): void;
  heal(): void;
}

/** Of 198.18.0.0/15, which RFC 2544 sets aside for measuring networks. */
const addresses = { near: "198.18.0.1", far: "198.18.0.2" } as const;
const names = { near: "fm-near", far: "fm-far" } as const;

function hasQdisc(name: string, options: readonly string[]): boolean {
  const { status } = spawnSync("tc", ["qdisc", "replace", "dev", names.near, "root", name, ...options]);
  spawnSync("tc", ["qdisc", "del", "dev", names.near, "root"]);
  return status === 0;
}

/**
 * Makes the far side. It needs a sandbox.
 * @throws Error saying what the kernel does not allow
 */
export function createWire(): Wire {
  const holder: ChildProcess = spawn("unshare", ["--net", "sleep", "infinity"], { stdio: "ignore" });
  const prefix = ["nsenter", `--net=/proc/${holder.pid}/ns/net`, "--"];
  const run = (command: readonly string[]): void => {
    execFileSync(command[0], command.slice(1), { stdio: "pipe" });
  };
  const onFar = (command: readonly string[]): void => run([...prefix, ...command]);
  // The holder is in its namespace once its link to it differs from ours.
  const namespace = (pid: number | string): string => execFileSync("readlink", [`/proc/${pid}/ns/net`], { encoding: "utf8" });
  while (namespace(holder.pid ?? "self") === namespace("self")) execFileSync("sleep", ["0.01"]);
  run(["ip", "link", "add", names.near, "type", "veth", "peer", "name", names.far, "netns", String(holder.pid)]);
  run(["ip", "address", "add", `${addresses.near}/30`, "dev", names.near]);
  run(["ip", "link", "set", names.near, "up"]);
  onFar(["ip", "address", "add", `${addresses.far}/30`, "dev", names.far]);
  for (const name of ["lo", names.far]) onFar(["ip", "link", "set", name, "up"]);

  const netem = hasQdisc("netem", ["delay", "1ms"]);
  const dark = netem ? ["netem", "loss", "100%"] : ["blackhole"];
  let flicker: NodeJS.Timeout | undefined;
  const near = (...qdisc: string[]): void => run(["tc", "qdisc", "replace", "dev", names.near, "root", ...qdisc]);
  const far = (...qdisc: string[]): void => onFar(["tc", "qdisc", "replace", "dev", names.far, "root", ...qdisc]);
  const heal = (): void => {
    clearTimeout(flicker);
    flicker = undefined;
    near("noqueue");
    far("noqueue");
  };

  return {
    address: addresses.near,
    prefix,
    netem,
    cut(direction) {
      if (direction !== "from-far") near(...dark);
      if (direction !== "to-far") far(...dark);
    },
    delay() {
      // Without netem: a link so slow that packets wait for each other.
      const slow = netem ? ["netem", "delay", "300ms", "100ms"] : ["tbf", "rate", "400kbit", "burst", "4kb", "latency", "3s"];
      near(...slow);
      far(...slow);
    },
    lose() {
      if (netem) {
        near("netem", "loss", "15%");
        far("netem", "loss", "15%");
        return;
      }
      // Without netem: bursts of loss, by chance, on either side.
      const turn = (): void => {
        heal();
        const side = Math.random() < 0.5 ? near : far;
        side(...dark);
        flicker = setTimeout(
          () => {
            heal();
            flicker = setTimeout(turn, 100 + Math.random() * 300);
          },
          20 + Math.random() * 60,
        );
      };
      turn();
    },
    heal,
  };
}

/** A small disk that can be filled. */
export interface Disk {
  readonly path: string;
  fill(): void;
  free(): void;
  unmount(): void;
}

/** Mounts a file system in memory, of so many MB. It needs a sandbox. */
export function mountDisk(path: string, megabytes: number): Disk {
  mkdirSync(path, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", path], { stdio: "pipe" });
  const filler = `${path}/filler`;
  return {
    path,
    fill: () => {
      // It ends by being refused, which is what it is for.
      spawnSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=64k"], { stdio: "ignore" });
      spawnSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=512", "oflag=append", "conv=notrunc"], { stdio: "ignore" });
    },
    free: () => {
      execFileSync("rm", ["-f", filler]);
    },
    // What still uses it keeps it until it ends, and it ends with this process.
    unmount: () => {
      execFileSync("umount", ["--lazy", path], { stdio: "pipe" });
    },
  };
}
