import { cpuProbe } from "./cpu.js";
import { diskProbe } from "./disk.js";
import { diskioProbe } from "./diskio.js";
import { memProbe } from "./mem.js";
import { netProbe } from "./net.js";
import { nvidiaSmiProbe } from "./nvidia-smi.js";
import { pressureProbe } from "./pressure.js";
import { systemProbe } from "./system.js";

/** Every probe there is. To add one, add its file and its name here. */
export const probes = [cpuProbe, memProbe, diskProbe, diskioProbe, netProbe, systemProbe, pressureProbe, nvidiaSmiProbe] as const;

export const probeNames = probes.map((probe) => probe.name);
