/**
 * Names of ARM cores by implementer and part (MIDR_EL1, Arm Architecture Reference Manual), as /proc/cpuinfo shows
 * them. Source: arch/arm64/include/asm/cputype.h of Linux and sys-utils/lscpu-arm.c of util-linux. They are spelt as
 * libuv spells those that it knows, so that a class is the same whoever named the core.
 */
const armParts: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // Arm
  "0x41": {
    "0xb76": "ARM1176",
    "0xc05": "Cortex-A5",
    "0xc07": "Cortex-A7",
    "0xc08": "Cortex-A8",
    "0xc09": "Cortex-A9",
    "0xc0d": "Cortex-A17",
    "0xc0e": "Cortex-A17",
    "0xc0f": "Cortex-A15",
    "0xd01": "Cortex-A32",
    "0xd02": "Cortex-A34",
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd06": "Cortex-A65",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd0d": "Cortex-A77",
    "0xd0e": "Cortex-A76AE",
    "0xd40": "Neoverse-V1",
    "0xd41": "Cortex-A78",
    "0xd42": "Cortex-A78AE",
    "0xd43": "Cortex-A65AE",
    "0xd44": "Cortex-X1",
    "0xd46": "Cortex-A510",
    "0xd47": "Cortex-A710",
    "0xd48": "Cortex-X2",
    "0xd49": "Neoverse-N2",
    "0xd4a": "Neoverse-E1",
    "0xd4b": "Cortex-A78C",
    "0xd4c": "Cortex-X1C",
    "0xd4d": "Cortex-A715",
    "0xd4e": "Cortex-X3",
    "0xd4f": "Neoverse-V2",
    "0xd80": "Cortex-A520",
    "0xd81": "Cortex-A720",
    "0xd82": "Cortex-X4",
    "0xd83": "Neoverse-V3AE",
    "0xd84": "Neoverse-V3",
    "0xd85": "Cortex-X925",
    "0xd87": "Cortex-A725",
    "0xd8e": "Neoverse-N3",
  },
  // Broadcom and Cavium: ThunderX
  "0x42": { "0x516": "ThunderX2" },
  "0x43": { "0x0a1": "ThunderX-88XX", "0x0a2": "ThunderX-81XX", "0x0a3": "ThunderX-83XX", "0x0af": "ThunderX2-99xx" },
  // Fujitsu
  "0x46": { "0x001": "A64FX" },
  // HiSilicon
  "0x48": { "0xd01": "TaiShan-v110", "0xd02": "TaiShan-v120" },
  // NVIDIA
  "0x4e": { "0x003": "Denver-2", "0x004": "Carmel", "0x010": "Olympus" },
  // Qualcomm
  "0x51": { "0x001": "Oryon", "0x800": "Falkor-V1/Kryo", "0xc00": "Falkor", "0xc01": "Saphira" },
  // Apple
  "0x61": {
    "0x022": "Icestorm-M1",
    "0x023": "Firestorm-M1",
    "0x024": "Icestorm-M1-Pro",
    "0x025": "Firestorm-M1-Pro",
    "0x028": "Icestorm-M1-Max",
    "0x029": "Firestorm-M1-Max",
    "0x032": "Blizzard-M2",
    "0x033": "Avalanche-M2",
  },
  // Phytium
  "0x70": { "0x662": "FTC662", "0x663": "FTC663" },
  // Ampere
  "0xc0": { "0xac3": "Ampere-1", "0xac4": "Ampere-1a", "0xac5": "Ampere-1b" },
};

export function findArmPart(implementer: string, part: string): string | undefined {
  return armParts[implementer]?.[part];
}
