import { createEnvironment } from "#bench/environments/registry.js";
import type { Constraint, Plant } from "#bench/plants/plant.js";
import { escapeHtml } from "../grafana/drawing/format.js";

/** A picture of one episode: every constrained quantity over time with its limits, then what was commanded. */

const width = 820;
const chart = { height: 96, left: 168, right: 12, gap: 22, top: 34 } as const;
const inks = { line: "#1f77b4", soft: "#c98a00", hard: "#c4162a", text: "#444", frame: "#ccc" } as const;

/** One quantity over the steps of an episode. */
interface Course {
  readonly label: string;
  readonly values: readonly number[];
  readonly soft: readonly number[];
  readonly hard: readonly number[];
}

const round = (value: number): string => String(Number(value.toPrecision(4)));

/** What is drawn of an environment whose constraints do not show what it does. */
const tellingNames: Readonly<Record<string, readonly string[]>> = {
  "RobotAssembly-v0": ["tip_x", "tip_y", "tip_z", "tilt", "contact_force", "clearance"],
};

/** Plays an episode of a plant's own controller, checked. */
function playEpisode(plant: Plant, seed: number): { courses: Course[]; actions: Course[] } {
  const { id, observationSpace } = plant;
  const telling = tellingNames[id]?.map((name) => ({ name, index: observationSpace.names.indexOf(name) }));
  const constraints: readonly (Partial<Constraint> & { name: string; index: number })[] = telling ?? plant.constraints;
  const environment = createEnvironment(id, { checkConstraints: true });
  const action = new Float64Array(environment.actionSpace.low.length);
  const observed: number[][] = constraints.map(() => []);
  const commanded: number[][] = [...action].map(() => []);
  const look = (observation: Float64Array): void => {
    for (const [i, { index }] of constraints.entries()) observed[i].push(observation[index]);
  };
  look(environment.reset(seed).observation);
  for (let isOver = false; !isOver; ) {
    environment.suggestAction(action);
    for (const [i, value] of action.entries()) commanded[i].push(value);
    const { observation, terminated, truncated } = environment.step(action);
    look(observation);
    isOver = terminated || truncated;
  }
  const courses = constraints.map(({ name, index, softLow, softHigh, hardLow, hardHigh }, i) => ({
    label: `${name}, ${observationSpace.units[index]}`,
    values: observed[i],
    soft: [softLow, softHigh].filter((limit) => limit !== undefined),
    hard: [hardLow, hardHigh].filter((limit) => limit !== undefined),
  }));
  const actions = environment.actionSpace.names.map((label, i) => ({ label, values: commanded[i], soft: [], hard: [-1, 1] }));
  return { courses, actions };
}

/** Draws a course in a frame whose axis holds all values and the soft limits. */
function drawCourse({ label, values, soft, hard }: Course, top: number): string {
  const seen = [...values, ...soft, ...(soft.length === 0 ? hard : [])];
  const margin = (Math.max(...seen) - Math.min(...seen)) * 0.08 || 1;
  const [low, high] = [Math.min(...seen) - margin, Math.max(...seen) + margin];
  const right = width - chart.right;
  const x = (i: number): number => chart.left + (i / (values.length - 1)) * (right - chart.left);
  const y = (value: number): number => top + chart.height - ((value - low) / (high - low)) * chart.height;
  const limit = (value: number, ink: string): string =>
    value < low || value > high
      ? ""
      : `<line x1="${chart.left}" x2="${right}" y1="${y(value).toFixed(1)}" y2="${y(value).toFixed(1)}" stroke="${ink}" stroke-dasharray="5 4"/>`;
  // As many points as there are pixels.
  const every = Math.ceil((2 * values.length) / width);
  const points = values.flatMap((value, i) => (i % every === 0 ? [`${x(i).toFixed(0)},${y(value).toFixed(1)}`] : [])).join(" ");
  return [
    `<rect x="${chart.left}" y="${top}" width="${right - chart.left}" height="${chart.height}" fill="none" stroke="${inks.frame}"/>`,
    ...soft.map((value) => limit(value, inks.soft)),
    ...hard.map((value) => limit(value, inks.hard)),
    `<polyline points="${points}" fill="none" stroke="${inks.line}" stroke-width="1.3"/>`,
    `<text x="${chart.left - 8}" y="${top + 12}" text-anchor="end">${round(high)}</text>`,
    `<text x="${chart.left - 8}" y="${top + chart.height}" text-anchor="end">${round(low)}</text>`,
    `<text x="8" y="${top + chart.height / 2 + 4}">${escapeHtml(label.replaceAll("_", " ").replace(" setpoint", ""))}</text>`,
  ].join("");
}

/** Returns an SVG document. */
export function drawEpisode(plant: Plant, seed: number): string {
  const { courses, actions } = playEpisode(plant, seed);
  const all = [...courses, ...actions];
  const height = chart.top + all.length * (chart.height + chart.gap);
  const title = `${plant.id}, seed ${seed}: ${courses[0].values.length - 1} steps of its own controller; dashed: soft limits, hard limits, ends of actions`;
  const bodies = all.map((course, i) => drawCourse(course, chart.top + i * (chart.height + chart.gap)));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="${inks.text}"><title>${escapeHtml(title)}</title><rect width="100%" height="100%" fill="#fff"/><text x="8" y="20" font-size="13">${escapeHtml(title)}</text>${bodies.join("\n")}</svg>\n`;
}
