/** Fixed, so that links and alert rules find the dashboards on every Grafana. */
export const dashboardUids = {
  fleet: "fleetmark-fleet",
  kpis: "fleetmark-kpis",
  benchmarks: "fleetmark-benchmarks",
  host: "fleetmark-host",
  gpus: "fleetmark-gpus",
  pipeline: "fleetmark-pipeline",
  runbooks: "fleetmark-runbooks",
} as const;

/** Folder of the dashboards and of the alert rules. */
export const folder = "Fleetmark";

/** Tag by which the dashboards list each other. */
export const dashboardTag = "fleetmark";

/** Label of every alert of Fleetmark's, for policies and lists. */
export const team = "fleetmark";
