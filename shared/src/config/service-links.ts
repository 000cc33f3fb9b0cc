/**
 * Variables that Kubernetes gives every container, for each service of its namespace that has an address ("service
 * links", kubernetes.io/docs/concepts/services-networking/service/#environment-variables). A service named fleetmark,
 * or fleetmark-collector, makes names that begin like ours:
 *
 *     FLEETMARK_COLLECTOR_SERVICE_HOST        10.0.0.1
 *     FLEETMARK_COLLECTOR_SERVICE_PORT        7420           and …_SERVICE_PORT_GRPC, by the name of a port
 *     FLEETMARK_COLLECTOR_PORT                tcp://10.0.0.1:7420
 *     FLEETMARK_COLLECTOR_PORT_7420_TCP       tcp://10.0.0.1:7420
 *     FLEETMARK_COLLECTOR_PORT_7420_TCP_PROTO tcp            and …_PORT 7420, …_ADDR 10.0.0.1
 *
 * No key of a configuration ends like those. The bare …_PORT is one that a person may write too, so there the value
 * decides: theirs is a URL, and a person's is a number.
 */
const plainForm =
  /^FLEETMARK(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d{1,5}_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;
const portForm = /^FLEETMARK(_[A-Z0-9_]+)?_PORT$/;
const portValue = /^(tcp|udp|sctp):\/\/[^\s/]+:\d{1,5}$/;

/** Whether Kubernetes, and no person, has set the variable. */
export function isServiceLink(name: string, value: string | undefined): boolean {
  return plainForm.test(name) || (portForm.test(name) && portValue.test(value ?? ""));
}
