export type GpuVendor = "nvidia" | "amd" | "intel";

/** Words of what tools say instead of a name: `No devices were found`, `Unable to determine the device handle …`. */
const complaint =
  /\b(fail|failed|failure|error|unable|unknown|lost|requires?|not|no|could|couldn't|cannot|can't|insufficient|reboot|reset|mismatch|invalid|timeout|timed|warning|driver|devices|found|permission|denied|usage|option)\b/i;

/**
 * Whether a text may be the name of a GPU. A class is made of names, so what a tool or driver says of its troubles must
 * never pass for one.
 */
export function isGpuName(text: string): boolean {
  const isPlain = /^[A-Za-z0-9][A-Za-z0-9 ()[\]/.,+_-]{1,79}$/.test(text) && /[A-Za-z]/.test(text);
  return isPlain && !complaint.test(text) && !/^(n\/?a|none|nvidia-smi.*|0x[0-9a-f]+)$/i.test(text);
}

/** How NVIDIA's names begin: `NVIDIA H100 80GB HBM3`, once also `Tesla V100-SXM2-16GB` and `A100-SXM4-40GB`. */
const nvidiaBrands = /^(NVIDIA|Tesla|GeForce|Quadro|TITAN|GRID|Graphics Device|[A-Z]{1,2}\d{1,4}[A-Z]?)(?=[ -]|$)/;

export function isNvidiaName(text: string): boolean {
  return isGpuName(text) && nvidiaBrands.test(text);
}

const vendorNames: Readonly<Record<GpuVendor, string>> = { nvidia: "NVIDIA", amd: "AMD", intel: "Intel" };

export function nameVendor(vendor: GpuVendor): string {
  return vendorNames[vendor];
}
