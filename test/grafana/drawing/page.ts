import type { Dashboard, Panel } from "@grafana/grafana-foundation-sdk/dashboard";
import { escapeHtml } from "./format.js";
import { type PanelData, renderBody } from "./panel-body.js";

/** Grafana's grid: 24 columns, and rows of 30 pixels with 8 between them. */
const pageWidth = 1600;
const column = pageWidth / 24;
const rowHeight = 38;
const titleHeight = 30;

const style = `
body { margin: 0; background: #111217; color: #ccccdc; font: 13px Inter, "DejaVu Sans", sans-serif; width: ${pageWidth + 24}px; padding: 12px; box-sizing: border-box }
h1 { font-size: 18px; margin: 0 0 4px } header p { margin: 0 0 10px; color: #8e8ea0 }
main { position: relative } section, h2 { position: absolute; box-sizing: border-box }
h2 { font-size: 14px; margin: 0; padding: 8px 2px }
section { background: #181b1f; border: 1px solid #2c2f36; border-radius: 3px; overflow: hidden }
h3 { font-size: 13px; font-weight: 600; margin: 0; padding: 7px 8px; height: 16px; white-space: nowrap; overflow: hidden }
svg text { fill: #8e8ea0; font-size: 11px } .grid { stroke: #26292f }
.chart { display: flex } .legend { height: 100%; overflow: hidden; font-size: 11px } .legend table { border-spacing: 6px 1px; width: 100% }
.legend td, .legend th { text-align: right; white-space: nowrap; color: #9a9aac } .legend td:first-child, .legend th:first-child { text-align: left; max-width: 190px; overflow: hidden }
.legend i { display: inline-block; width: 12px; height: 3px; margin: 0 5px 3px 0 }
.stat { font-size: 32px; font-weight: 600; padding: 18px 10px; text-align: center; white-space: nowrap } .spark { position: absolute; bottom: 0; left: 0 }
.scroll { overflow: hidden; height: calc(100% - ${titleHeight}px) } .none { text-align: center; padding-top: 30px; color: #77778a }
.data { border-collapse: collapse; width: 100% } .data td, .data th { padding: 4px 8px; border-bottom: 1px solid #26292f; white-space: nowrap; text-align: left } .data td.n, .data th.n { text-align: right }
.bars div { display: flex; align-items: center; gap: 8px; padding: 2px 8px } .bars span { width: 130px; text-align: right; overflow: hidden } .bars b { height: 13px }
.alerts { margin: 0; padding: 0 10px; list-style: none } .alerts li { padding: 3px 0 3px 8px; border-left: 3px solid #FADE2A; margin-bottom: 4px } .alerts .critical { border-color: #F2495C }
`;

function place({ x, y, w, h }: { x: number; y: number; w: number; h: number }): string {
  return `left:${x * column}px;top:${y * rowHeight}px;width:${w * column - 8}px;height:${h * rowHeight - 8}px`;
}

/** Renders a dashboard as one static page: the same grid, queries, units and thresholds, drawn without Grafana. */
export function renderPage(dashboard: Dashboard, subtitle: string, read: (panel: Panel) => PanelData): string {
  const panels = dashboard.panels ?? [];
  const bottom = Math.max(...panels.map(({ gridPos }) => (gridPos?.y ?? 0) + (gridPos?.h ?? 0)));
  const parts = panels.map((panel) => {
    const position = panel.gridPos!;
    if (panel.type === "row") return `<h2 style="${place(position)}">▾ ${escapeHtml(panel.title ?? "")}</h2>`;
    const size = { width: position.w * column - 10, height: position.h * rowHeight - 10 - titleHeight };
    const body = renderBody(panel as Panel, read(panel as Panel), size);
    return `<section style="${place(position)}" title="${escapeHtml((panel as Panel).description ?? "")}"><h3>${escapeHtml(panel.title ?? "")}</h3>${body}</section>`;
  });
  return `<!doctype html><meta charset="utf-8"><title>${escapeHtml(dashboard.title ?? "")}</title><style>${style}</style>
<header><h1>${escapeHtml(dashboard.title ?? "")}</h1><p>${escapeHtml(subtitle)}</p></header>
<main style="height:${bottom * rowHeight}px">${parts.join("\n")}</main>\n`;
}
