/** Writes what `nvidia-smi -q -x` prints, of cards whose values a test chooses. */

export interface SmiLog {
  readonly driver?: string;
  readonly cards?: number;
  /** Of every card, by path. */
  readonly fields?: Readonly<Record<string, string>>;
  /** Of one card, by its index. */
  readonly only?: Readonly<Record<number, Readonly<Record<string, string>>>>;
}

const usual: Readonly<Record<string, string>> = {
  product_name: "NVIDIA H100 80GB HBM3",
  product_architecture: "Hopper",
  persistence_mode: "Enabled",
  performance_state: "P0",
  compute_mode: "Default",
  "fb_memory_usage/total": "81559 MiB",
  "fb_memory_usage/used": "1 MiB",
  "utilization/gpu_util": "0 %",
  "temperature/gpu_temp": "31 C",
  "gpu_power_readings/instant_power_draw": "71.5 W",
  "gpu_power_readings/current_power_limit": "700.00 W",
  "clocks/sm_clock": "345 MHz",
  "max_clocks/sm_clock": "1980 MHz",
};

type Tree = Map<string, Tree | string>;

function escapeXml(text: string): string {
  // What XML has no way to write is left out.
  return text
    .replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}

function plant(tree: Tree, path: readonly string[], text: string): void {
  const [name, ...rest] = path;
  if (rest.length === 0) {
    tree.set(name, text);
    return;
  }
  const below = tree.get(name);
  const branch: Tree = below instanceof Map ? below : new Map();
  tree.set(name, branch);
  plant(branch, rest, text);
}

function print(tree: Tree): string {
  return [...tree]
    .map(([name, value]) => `<${name}>${value instanceof Map ? print(value) : escapeXml(value)}</${name}>`)
    .join("\n");
}

export function smiLog({ driver = "580.159.04", cards = 1, fields = {}, only = {} }: SmiLog = {}): string {
  const all = Array.from({ length: cards }, (_, i) => {
    const tree: Tree = new Map();
    const own = { ...usual, uuid: `GPU-${i}`, "pci/pci_bus_id": `00000000:0${i}:00.0`, ...fields, ...only[i] };
    for (const [path, text] of Object.entries(own)) plant(tree, path.split("/"), text);
    return `<gpu id="00000000:0${i}:00.0">${print(tree)}</gpu>`;
  });
  const head = `<driver_version>${escapeXml(driver)}</driver_version><cuda_version>13.0</cuda_version><attached_gpus>${cards}</attached_gpus>`;
  return `<?xml version="1.0" ?>\n<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">\n<nvidia_smi_log>${head}${all.join("")}</nvidia_smi_log>\n`;
}
