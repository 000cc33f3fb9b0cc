import { logEvents } from "@fleetmark/shared/log";

/** Returns the page that lists every event of the log. */
export function renderLogEvents(): string {
  const rows = Object.entries(logEvents).map(([event, meaning]) => `| \`${event}\` | ${meaning} |`);
  return `# What do the lines of the logs mean?

Agents and collectors write one JSON object a line to standard error. \`event\` names what happened, \`level\` is 20 for debug, 30 for info, 40 for warn and 50 for
error, \`time\` is in milliseconds since the Unix epoch, and \`code\`, where there is one, is that of the error catalogue.

This page is made from the catalogue in the code (\`make log-events\`).

| event | what happened |
| --- | --- |
${rows.join("\n")}
`;
}
