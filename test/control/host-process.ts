import { destination, pino } from "pino";
import { type CommandedHostOptions, startCommandedHost } from "./commanded-host.js";

/** A process of hosts that do what they are told: JSON, its only argument. */
export interface HostProcessOptions extends Omit<CommandedHostOptions, "host" | "suites"> {
  readonly hosts: readonly Pick<CommandedHostOptions, "host" | "suites">[];
  readonly log: string;
}

const { hosts, log, ...shared } = JSON.parse(process.argv[2]) as HostProcessOptions;
const logger = pino({ level: "warn", base: undefined }, destination({ dest: log, append: true, sync: true }));
process.on("disconnect", () => process.exit(1));
await Promise.all(hosts.map((each) => startCommandedHost({ ...shared, ...each }, logger)));
process.send?.("ready");
