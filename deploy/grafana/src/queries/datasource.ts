import type { DataSourceRef } from "@grafana/grafana-foundation-sdk/common";

/** Fixed, so that dashboards and rules find the datasource on every Grafana. */
export const datasource: DataSourceRef = { type: "influxdb", uid: "fleetmark-influxdb" };

/** What Grafana computes itself: the expressions of alert rules. */
export const expressionDatasource: DataSourceRef = { type: "__expr__", uid: "__expr__" };

/**
 * The provisioning file of the datasource. One header serves all servers: `Token …` for InfluxDB 2.x and 3.x, `Basic …`
 * (base64 of user:password) for 1.x, and nothing where the server asks for none.
 * @param authorization the header's value, with Grafana's own placeholders: `${VARIABLE}` or `$__file{PATH}`
 */
export function buildDatasourceFile(authorization: string): object {
  return {
    apiVersion: 1,
    prune: true,
    datasources: [
      {
        name: "Fleetmark",
        uid: datasource.uid,
        orgId: 1,
        type: datasource.type,
        access: "proxy",
        // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own placeholder
        url: "${FLEETMARK_INFLUX_URL}",
        // Panels and rules name it by its uid. A default would end a Grafana that is provisioned with another one.
        isDefault: false,
        editable: false,
        jsonData: {
          version: "InfluxQL",
          httpMode: "POST",
          // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own placeholder
          dbName: "${FLEETMARK_INFLUX_DATABASE}",
          // The agents' own interval: narrower buckets would be empty more often than not.
          timeInterval: "10s",
          httpHeaderName1: "Authorization",
        },
        secureJsonData: { httpHeaderValue1: authorization },
      },
    ],
  };
}
