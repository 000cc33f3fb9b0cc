import { logEvents } from "@fleetmark/shared/log";

/** Returns the page that lists every event of the log. */
export function renderLogEvents(): string {
  const rows = Object.entries(logEvents).map(([event, meaning]) => `| \`${event}\` | ${meaning} |`);
  return `# What do the lines of the logs mean?

Agents and collectors write to standard error: one JSON object a line, or text for people where that is a terminal (\`log.format\` chooses). \`event\` names what happened,
\`level\` is debug, info, warn or error, \`time\` is RFC 3339 in UTC, \`service\` says whether an agent or a collector writes and \`host\` on which host, \`agent\` in a
collector's lines is the host of the agent that they are about, and \`code\`, where there is one, is that of the error catalogue.

This page is made from the catalogue in the code (\`make log-events\`).

| event | what happened |
| --- | --- |
${rows.join("\n")}
`;
}
