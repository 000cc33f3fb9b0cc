import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { PanelBuilder as TextBuilder, TextMode } from "@grafana/grafana-foundation-sdk/text";
import { dashboardUids } from "../panels/dashboard-ids.js";
import { buildDashboard, type Section } from "../panels/layout.js";

/**
 * The pages of docs/runbooks/ as panels, so that an alert's link to one works wherever Grafana does, without a place of
 * their own on the web.
 */

const folder = fileURLToPath(new URL("../../../../docs/runbooks/", import.meta.url));

/** Pages by their names, without `.md`. */
const pages = readdirSync(folder)
  .filter((name) => name.endsWith(".md"))
  .map((name) => name.slice(0, -".md".length))
  .sort();

/** Each section is a row and one panel, numbered in that order. */
function panelIdOf(page: string): number {
  return 2 * pages.indexOf(page) + 2;
}

/** Leads from page to page inside Grafana; what else they link to has no address there, and stays as its words. */
function relink(markdown: string): string {
  return markdown.replace(/\[([^\]]+)\]\(([^)]+)\)/g, (_, words: string, target: string) => {
    const page = target.replace(/\.md$/, "");
    return pages.includes(page) ? `[${words}](/d/${dashboardUids.runbooks}?viewPanel=${panelIdOf(page)})` : words;
  });
}

function section(page: string): Section {
  const [heading = page, ...rest] = readFileSync(`${folder}${page}.md`, "utf8").split("\n");
  const panel = new TextBuilder()
    .title(page)
    .description(`The page docs/runbooks/${page}.md, as it was when these files were generated.`)
    .transparent(true)
    .mode(TextMode.Markdown)
    .content(relink(rest.join("\n").trim()));
  return { title: heading.replace(/^# /, ""), shelves: [{ height: 14, panels: [[24, panel]] }] };
}

export const runbookDashboard = buildDashboard({
  uid: dashboardUids.runbooks,
  title: "Fleetmark: runbooks",
  description: "What each alert means, how to check it, and what to do",
  variables: [],
  from: "now-24h",
  refresh: "",
  shadesRuns: false,
  annotates: false,
  sections: pages.map(section),
});
