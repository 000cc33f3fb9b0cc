/**
 * What a notification says, in Go's templates over the data that Grafana's Alertmanager gives: `.Status`, `.Alerts`,
 * `.CommonLabels`. They are in the file of each contact point, so that one file is whole.
 */

/** Title: what fires and how bad it is, then the host, or of how many alerts it speaks. */
const title = `{{ define "fleetmark.title" -}}
[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ len .Alerts.Firing }}{{ end }}]
{{- with .CommonLabels.severity }} {{ . }}{{ end }}
{{- if .CommonLabels.alertname }} {{ .CommonLabels.alertname }}{{ else }}{{ range .Alerts }} · {{ .Labels.alertname }}{{ end }}{{ end }}
{{- if .CommonLabels.host }} on {{ .CommonLabels.host }}{{ else if gt (len .Alerts) 1 }} ({{ len .Alerts }} alerts){{ end }}
{{- end }}
`;

const nanosecondsAnHour = 3_600_000_000_000;

/** A moment so many hours from the begin of the alert, in milliseconds: what a dashboard's time takes. */
function momentFromBegin(hours: number): string {
  return `{{ (.StartsAt.Add ${hours * nanosecondsAnHour}).UnixMilli }}`;
}

/** The time around the begin of the alert: a week for what is measured by the day, else some hours. */
const timeRange = `&from={{ if .Labels.kpi }}${momentFromBegin(-168)}{{ else }}${momentFromBegin(-3)}{{ end }}&to=${momentFromBegin(1)}`;

const message = `{{ define "fleetmark.message" -}}
{{ range .Alerts -}}
{{ .Status | toUpper }} {{ .Labels.alertname }}: {{ .Annotations.summary }}
{{ .Annotations.description }}
Since {{ .StartsAt.UTC.Format "2006-01-02 15:04:05" }} UTC
{{- with .Annotations.panel_url }}
Panel: {{ . }}{{ end }}{{ if .Annotations.panel_url }}${timeRange}{{ end }}
{{- with .Annotations.runbook_url }}
Runbook: {{ . }}{{ end }}
{{- with .SilenceURL }}
Silence: {{ . }}{{ end }}

{{ end -}}
{{ end }}
`;

/** The one template that Grafana is provisioned with. */
export const notificationTemplate = { orgId: 1, name: "fleetmark", template: title + message };

/** What contact points put into their settings to use it. */
export const texts = { title: '{{ template "fleetmark.title" . }}', message: '{{ template "fleetmark.message" . }}' } as const;
