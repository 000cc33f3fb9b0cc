// Prints what systeminformation knows of this host as one JSON object. Its own process, because the library stays in
// memory (10 MB) and spawns tools that may hang.
import si from "systeminformation";

/** One source that fails must not cost the others. */
async function ignoreFailure<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch {
    return undefined;
  }
}

const [cpu, mem, board, bios, system, os, graphics] = await Promise.all([
  ignoreFailure(si.cpu()),
  ignoreFailure(si.mem()),
  ignoreFailure(si.baseboard()),
  ignoreFailure(si.bios()),
  ignoreFailure(si.system()),
  ignoreFailure(si.osInfo()),
  ignoreFailure(si.graphics()),
]);

const inventory = {
  cpu: {
    manufacturer: cpu?.manufacturer,
    brand: cpu?.brand,
    family: cpu?.family,
    model: cpu?.model,
    stepping: cpu?.stepping,
    sockets: cpu?.processors,
    cores: cpu?.physicalCores,
    threads: cpu?.cores,
    speed_ghz: cpu?.speed,
    cache_bytes: cpu?.cache,
  },
  memory_bytes: mem?.total,
  swap_bytes: mem?.swaptotal,
  system: { manufacturer: system?.manufacturer, model: system?.model },
  board: { manufacturer: board?.manufacturer, model: board?.model, version: board?.version },
  bios: { vendor: bios?.vendor, version: bios?.version, date: bios?.releaseDate },
  os: { distribution: os?.distro, release: os?.release, kernel: os?.kernel, architecture: os?.arch },
  virtualisation: { virtual: system?.virtual, host: system?.virtualHost },
  gpus: graphics?.controllers.map(({ vendor, model, vram, bus }) => ({ vendor, model, vram_mb: vram, bus })),
};
process.stdout.write(JSON.stringify(inventory));
