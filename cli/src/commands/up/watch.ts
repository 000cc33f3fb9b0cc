import { alertsAnswer } from "@fleetmark/shared/api/answers";
import { type AgedKpi, ageKpis } from "@fleetmark/shared/judgement/freshness";
import { formatCount } from "@fleetmark/shared/model/numbers";
import { askCollector, askForText } from "../../client/collector-api.js";
import type { Endpoint } from "../../client/endpoint.js";
import type { Host, Source } from "../../client/source.js";
import { tell } from "../../output/message.js";
import { escapeControls } from "../../output/width.js";
import { describeStatus } from "../../tables/kpis.js";
import { formatMoment } from "../../tables/times.js";

const everyMs = 60_000;

/** What is told of one minute. */
export interface Minute {
  readonly nowUs: number;
  readonly hosts: readonly Pick<Host, "host" | "attached">[];
  readonly kpis: readonly AgedKpi[];
  /** Values that the store has taken in it; undefined where that is not known. */
  readonly values: number | undefined;
  /** Names of the alerts that fire and that people are told of. */
  readonly firing: readonly string[];
}

function describeHosts(hosts: Minute["hosts"]): string {
  const away = hosts.filter(({ attached }) => !attached).map(({ host }) => escapeControls(host));
  if (hosts.length === 0) return "no host was heard of";
  if (hosts.length === 1) return away.length === 0 ? "host attached" : "host away";
  return `${hosts.length} hosts${away.length === 0 ? ", all attached" : `, away: ${away.join(", ")}`}`;
}

function describeKpis(kpis: readonly AgedKpi[]): string {
  const counts = new Map<string, number>();
  for (const reading of kpis) {
    const words = describeStatus(reading);
    counts.set(words, (counts.get(words) ?? 0) + 1);
  }
  if (counts.size === 0) return "none measured";
  return [...counts].map(([words, count]) => `${count} ${words}`).join(", ");
}

function describeFiring(names: readonly string[]): string {
  if (names.length === 0) return "";
  return names.length === 1 ? `; firing: ${names[0]}` : `; ${names.length} alerts fire (\`fleetmark alert list\`)`;
}

/** Says what was seen in a minute, in one line. */
export function describeMinute({ nowUs, hosts, kpis, values, firing }: Minute): string {
  const taken = values === undefined ? "" : `, ${formatCount(values)} values stored`;
  return `${formatMoment(nowUs).slice(-5)}  ${describeHosts(hosts)}${taken}; KPIs: ${describeKpis(kpis)}${describeFiring(firing)}`;
}

/** Reads how many samples the collector has stored since it began; undefined where it does not say. */
async function readStored(collector: Endpoint): Promise<number | undefined> {
  const found = /^fleetmark_samples_committed_total (\S+)$/m.exec(await askForText(collector, "/metrics"));
  return found === null ? undefined : Number(found[1]);
}

async function readMinute(
  source: Source,
  collector: Endpoint,
  stored: number | undefined,
  before: number | undefined,
): Promise<Minute> {
  const [hosts, found, alerts] = await Promise.all([
    source.readHosts(),
    source.readKpis({}),
    askCollector(collector, "alerts", alertsAnswer, { state: "firing" }),
  ]);
  const nowUs = Date.now() * 1000;
  const kpis = found.flatMap((each) => ageKpis(each.kpis, nowUs));
  // A collector that was started again counts anew.
  const values = stored === undefined || before === undefined || stored < before ? undefined : stored - before;
  const firing = alerts.filter(({ muted }) => muted === "").map(({ alert }) => alert);
  return { nowUs, hosts, kpis, values, firing };
}

/** Tells each minute what was seen, until it is stopped. */
export function startWatch(source: Source, collector: Endpoint): { stop(): void } {
  let before: number | undefined;
  const look = async (): Promise<void> => {
    try {
      const stored = await readStored(collector);
      const minute = await readMinute(source, collector, stored, before);
      before = stored;
      tell(describeMinute(minute));
    } catch {
      tell(`${formatMoment(Date.now() * 1000).slice(-5)}  the collector does not answer`);
    }
  };
  const first = readStored(collector).then(
    (stored) => {
      before = stored;
    },
    () => undefined,
  );
  const timer = setInterval(() => void first.then(look), everyMs);
  return { stop: () => clearInterval(timer) };
}
