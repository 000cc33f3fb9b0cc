import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type ServerUnaryCall, type ServerWritableStream, type sendUnaryData, status } from "@grpc/grpc-js";

/**
 * The standard service grpc.health.v1.Health, which load balancers and Kubernetes ask: its request is one string
 * (field 1, the service meant; empty for the whole server), its response one enum (field 1).
 * https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */

export const servingStatus = { serving: 1, notServing: 2, serviceUnknown: 3 } as const;
type ServingStatus = (typeof servingStatus)[keyof typeof servingStatus];

const knownServices = ["", "fleetmark.v1.Fleet"];
/** Between two looks at the health for those who watch it. */
const watchEveryMs = 1000;
/** A name longer than this is no service. */
const nameLength = 256;

interface HealthRequest {
  readonly service: string;
}

interface HealthAnswer {
  readonly status: ServingStatus;
}

/** The library answers INTERNAL when this throws, as it does for any request that does not decode. */
function decodeRequest(bytes: Buffer): HealthRequest {
  const reader = new BinaryReader(bytes);
  let service = "";
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === WireType.LengthDelimited) service = reader.string();
    else reader.skip(type, field);
  }
  return { service: service.slice(0, nameLength) };
}

function encodeAnswer(answer: HealthAnswer): Buffer {
  return Buffer.from(new BinaryWriter().tag(1, WireType.Varint).int32(answer.status).finish());
}

const passBytes = (bytes: Buffer): Buffer => bytes;

/** The collector is the serving side alone: what a client would do is left as bytes. */
const codec = {
  requestStream: false,
  requestSerialize: passBytes,
  requestDeserialize: decodeRequest,
  responseSerialize: encodeAnswer,
  responseDeserialize: passBytes,
} as const;

export const healthService = {
  check: { ...codec, path: "/grpc.health.v1.Health/Check", responseStream: false },
  watch: { ...codec, path: "/grpc.health.v1.Health/Watch", responseStream: true },
} as const;

/** Serves the health of the collector: it is serving while `isServing` says so. */
export function createHealth(isServing: () => boolean) {
  const find = (service: string): ServingStatus => {
    if (!knownServices.includes(service)) return servingStatus.serviceUnknown;
    return isServing() ? servingStatus.serving : servingStatus.notServing;
  };
  return {
    check: ({ request }: ServerUnaryCall<HealthRequest, HealthAnswer>, answer: sendUnaryData<HealthAnswer>): void => {
      const found = find(request.service);
      if (found === servingStatus.serviceUnknown) answer({ code: status.NOT_FOUND, details: "no such service" });
      else answer(null, { status: found });
    },
    watch: (call: ServerWritableStream<HealthRequest, HealthAnswer>): void => {
      let told: ServingStatus | undefined;
      const tell = (): void => {
        const found = find(call.request.service);
        if (found === told || call.writableLength > 0) return;
        told = found;
        call.write({ status: found });
      };
      const timer = setInterval(tell, watchEveryMs);
      timer.unref();
      for (const event of ["cancelled", "close", "error"]) call.on(event, () => clearInterval(timer));
      tell();
    },
  };
}
