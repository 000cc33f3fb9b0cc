import type { GpuVendor } from "./gpu-name.js";
import { isGpuName } from "./gpu-name.js";
import type { HostView } from "./host-view.js";

/*
 * GPUs as the kernel shows them on the PCI bus, be their driver well, ill or not there:
 *
 *   /sys/bus/pci/devices/0000:3b:00.0/  vendor 0x10de  device 0x2330  class 0x030200  driver → nvidia
 *
 * Compute devices alone count: not the VGA of a management controller, not graphics that are part of a CPU (its name
 * tells them), no virtual functions of a device that is there itself, and none that was handed to a virtual machine.
 */

export interface BusGpu {
  readonly vendor: GpuVendor;
  /** Vendor and device: `10de:2330`. */
  readonly id: string;
  /** Domain, bus, device and function: `0000:3b:00.0`. */
  readonly address: string;
  readonly driver: string | undefined;
  /** Where the kernel knows it: server boards of AMD tell it. */
  readonly model: string | undefined;
}

const vendors: Readonly<Record<string, GpuVendor>> = { "10de": "nvidia", "1002": "amd", "8086": "intel" };

/** Base classes of the PCI Code and ID Assignment Specification: display controllers, processing accelerators. */
const gpuClass = /^0x(03|12)/;

/** Whether graphics are part of the CPU: AMD numbers those below 0x6000 or from 0x9000 on; Intel's are at 00:02.0. */
function isIntegrated(vendor: GpuVendor, device: string, address: string): boolean {
  if (vendor === "amd") return Number.parseInt(device, 16) < 0x6000 || Number.parseInt(device, 16) >= 0x9000;
  return vendor === "intel" && address.endsWith(":00:02.0");
}

export function listBusGpus(view: HostView): BusGpu[] {
  const root = "/sys/bus/pci/devices";
  return view.list(root).flatMap((address): BusGpu[] => {
    const folder = `${root}/${address}`;
    const [vendorId, device] = ["vendor", "device"].map((name) =>
      view.read(`${folder}/${name}`)?.replace(/^0x/i, "").toLowerCase(),
    );
    const vendor = vendors[vendorId ?? ""];
    if (vendor === undefined || device === undefined || !/^[0-9a-f]{4}$/.test(device)) return [];
    if (!gpuClass.test(view.read(`${folder}/class`) ?? "") || isIntegrated(vendor, device, address)) return [];
    const driver = view.readLink(`${folder}/driver`);
    if (driver === "vfio-pci" || view.readLink(`${folder}/physfn`) !== undefined) return [];
    const model = view.read(`${folder}/product_name`);
    return [
      {
        vendor,
        id: `${vendorId}:${device}`,
        address,
        driver,
        model: model !== undefined && isGpuName(model) ? model : undefined,
      },
    ];
  });
}

/** Writes a PCI address as the kernel does: nvidia-smi's `00000000:3B:00.0` is `0000:3b:00.0`. */
export function normalizeAddress(address: string): string {
  return address.toLowerCase().replace(/^0{4}(?=[0-9a-f]{4}:)/, "");
}
