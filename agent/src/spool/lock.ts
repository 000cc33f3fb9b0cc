import { closeSync, openSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { FleetmarkError, systemErrorCode } from "@fleetmark/shared/errors";

const name = "lock";

/**
 * A socket's path holds 107 bytes at most; through an open folder it is always short enough (proc(5), /proc/self/fd).
 */
function shortenPath(dir: string): { path: string; close: () => void } {
  const path = join(dir, name);
  if (Buffer.byteLength(path) < 100) return { path, close: () => {} };
  const folder = openSync(dir, "r");
  return { path: `/proc/self/fd/${folder}/${name}`, close: () => closeSync(folder) };
}

function listen(path: string, token: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.end(token);
  });
  server.unref();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => resolve(server));
  });
}

/** Asks who listens there; undefined when nobody does. */
function ask(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(path);
    socket.setEncoding("utf8");
    socket.setTimeout(2000, () => socket.destroy());
    socket.on("data", (text: string) => {
      answer += text;
    });
    socket.on("connect", () => {
      answer ||= "";
    });
    socket.on("error", () => resolve(undefined));
    // A holder that is stopped takes the connection and says nothing.
    socket.on("close", () => resolve(answer));
  });
}

/** Whether anybody holds the lock of the folder that is under this name now. */
export async function isLocked(dir: string): Promise<boolean> {
  const { path, close } = shortenPath(dir);
  try {
    return (await ask(path)) !== undefined;
  } finally {
    close();
  }
}

/**
 * Takes the spool's lock: a socket in its folder, which ends with the process that listens, however it ends. Node.js
 * offers no lock on files. Where the file system offers no sockets there is no lock.
 * @returns what releases it
 * @throws FleetmarkError SPOOL_LOCKED
 */
export async function lockSpool(dir: string): Promise<() => Promise<void>> {
  const { path, close } = shortenPath(dir);
  const token = `${process.pid} ${Math.random()}`;
  const fail = (holder: string): FleetmarkError => {
    const pid = holder.split(" ")[0];
    return new FleetmarkError("SPOOL_LOCKED", `the spool ${dir} is held by another agent${pid === "" ? "" : ` (PID ${pid})`}`);
  };
  try {
    for (let attempt = 0; ; attempt++) {
      try {
        const server = await listen(path, token);
        // Two that find the socket of a dead one at once both remove it: the later one holds the lock, and both look
        // again.
        if (attempt > 0) await delay(50);
        const holder = attempt > 0 ? await ask(path) : token;
        if (holder !== token) {
          server.close();
          throw fail(holder ?? "");
        }
        return () =>
          new Promise((resolve) => {
            server.close(() => {
              close();
              resolve();
            });
          });
      } catch (thrown) {
        // Where there are no sockets, or is no room for one, there is no lock.
        if (["ENOSPC", "EDQUOT", "ENOTSUP", "EOPNOTSUPP"].includes(systemErrorCode(thrown) ?? "")) return async () => close();
        if (systemErrorCode(thrown) !== "EADDRINUSE" || attempt === 3) throw thrown;
        const holder = await ask(path);
        if (holder !== undefined) throw fail(holder);
        rmSync(path, { force: true });
      }
    }
  } catch (thrown) {
    close();
    throw thrown;
  }
}
