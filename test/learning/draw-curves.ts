/** A picture of learning: the mean return of unseen episodes over updates, by algorithm, beside what was in the data. */

export interface LearningCurves {
  readonly env: string;
  /** Mean return of the data's episodes, and of the environment's own controller. */
  readonly data: number;
  readonly controller: number;
  /** Updates after which was looked, and the mean returns then. */
  readonly updates: readonly number[];
  readonly returns: Readonly<Record<string, readonly number[]>>;
}

const [width, height] = [820, 360];
const frame = { left: 70, right: 120, top: 34, bottom: 40 } as const;
const lineHeight = 14;
const inks: Readonly<Record<string, string>> = { td3_bc: "#1f77b4", iql: "#2ca02c", cql: "#d62728" };
const names: Readonly<Record<string, string>> = { td3_bc: "TD3+BC", iql: "IQL", cql: "CQL" };

/** Returns an SVG document. */
export function drawCurves({ env, data, controller, updates, returns }: LearningCurves): string {
  const all = [data, controller, ...Object.values(returns).flat()];
  const margin = 0.06 * (Math.max(...all) - Math.min(...all));
  const [low, high] = [Math.min(...all) - margin, Math.max(...all) + margin];
  const last = updates[updates.length - 1];
  const [right, bottom] = [width - frame.right, height - frame.bottom];
  const x = (update: number): string => (frame.left + (update / last) * (right - frame.left)).toFixed(1);
  const y = (value: number): string => (bottom - ((value - low) / (high - low)) * (bottom - frame.top)).toFixed(1);
  const level = (value: number): string =>
    `<line x1="${frame.left}" x2="${right}" y1="${y(value)}" y2="${y(value)}" stroke="#888" stroke-dasharray="5 4"/>`;
  const curve = ([name, values]: [string, readonly number[]]): string => {
    const points = values.map((value, i) => `${x(updates[i])},${y(value)}`).join(" ");
    return `<polyline points="${points}" fill="none" stroke="${inks[name]}" stroke-width="2"/>`;
  };
  const labels = [
    { value: data, text: "data", ink: "#444" },
    { value: controller, text: "controller", ink: "#444" },
    ...Object.entries(returns).map(([name, values]) => ({
      value: values[values.length - 1],
      text: names[name],
      ink: inks[name],
    })),
  ].sort((a, b) => b.value - a.value);
  // One below the other where their ends lie too near to each other.
  let lowest = 0;
  const texts = labels.map(({ value, text, ink }) => {
    lowest = Math.max(Number(y(value)) + 4, lowest + lineHeight);
    return `<text x="${right + 8}" y="${lowest.toFixed(1)}" fill="${ink}">${text} ${value.toFixed(0)}</text>`;
  });
  const title = `${env}, mixed data: mean return of unseen episodes over updates of 256`;
  const ticks = updates.map((update) => `<text x="${x(update)}" y="${bottom + 18}" text-anchor="middle">${update}</text>`);
  const body = [
    `<rect x="${frame.left}" y="${frame.top}" width="${right - frame.left}" height="${bottom - frame.top}" fill="none" stroke="#ccc"/>`,
    `<text x="${frame.left - 8}" y="${frame.top + 10}" text-anchor="end">${high.toFixed(0)}</text>`,
    `<text x="${frame.left - 8}" y="${bottom}" text-anchor="end">${low.toFixed(0)}</text>`,
    ...ticks,
    level(data),
    level(controller),
    ...Object.entries(returns).map(curve),
    ...texts,
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#444"><title>${title}</title><rect width="100%" height="100%" fill="#fff"/><text x="8" y="20" font-size="13">${title}</text>${body.join("\n")}</svg>\n`;
}
