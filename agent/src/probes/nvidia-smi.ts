import type { Probe } from "./probe.js";

/** NVIDIA's cards. What reads them is loaded when the probe is opened: a list of probes needs no more than its name. */
export const nvidiaSmiProbe: Probe<"nvidia_smi"> = {
  name: "nvidia_smi",
  open() {
    const opened = import("./nvidia-cards.js").then(({ openNvidiaSmi }) => openNvidiaSmi());
    return {
      sample: async (nowUs) => (await opened).sample(nowUs),
      close: () => void opened.then((probe) => probe.close()),
    };
  },
};
