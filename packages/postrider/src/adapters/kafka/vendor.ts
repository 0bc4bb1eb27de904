import type { ConnectionOptions as TlsOptions } from "node:tls";
import type * as Vendor from "@platformatic/kafka";
import { fail } from "../../base/errors.ts";

/** The vendor's module, as it is loaded. */
export type KafkaModule = typeof Vendor;
/** The vendor's consumer with bytes for everything. */
export type VendorConsumer = Vendor.Consumer;
/** The vendor's producer with bytes for everything. */
export type VendorProducer = Vendor.Producer;
/** The vendor's administration client. */
export type VendorAdmin = Vendor.Admin;

/** A name or secret, or who gives it: asked again for each connection, so that it may change. */
export type Credential = string | (() => string | Promise<string>);

/** How to say who we are. */
export interface KafkaSasl {
  readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512" | "OAUTHBEARER";
  readonly username?: Credential;
  readonly password?: Credential;
  /** For OAUTHBEARER. */
  readonly token?: Credential;
}

/** How to reach a cluster. */
export interface KafkaConnection {
  /** `host:port` of some brokers; the others are found through them. */
  readonly brokers: readonly string[];
  /** How this process is called in the brokers' logs and quotas. */
  readonly clientId: string;
  /** TLS, as `node:tls` takes it; `{}` for the system's certificate authorities. */
  readonly tls?: TlsOptions;
  readonly sasl?: KafkaSasl;
}

/** What every client is made with. */
export interface ClientBase {
  readonly clientId: string;
  readonly bootstrapBrokers: string[];
  readonly tls?: TlsOptions;
  readonly sasl?: KafkaSasl;
  readonly autocreateTopics: false;
  readonly connectTimeout: number;
  readonly requestTimeout: number;
  readonly timeout: number;
  readonly metadataMaxAge: number;
}

const CONNECT_TIMEOUT_MS = 3000;
const REQUEST_TIMEOUT_MS = 15_000; // a broker that is frozen: the connection is given up, and the request goes over another one
const BROKER_TIMEOUT_MS = 10_000; // what a broker waits for its replicas
const METADATA_MAX_AGE_MS = 30_000;

/** Loads the client. @throws PR_CONFIG_INVALID where it is not installed */
export async function loadKafka(): Promise<KafkaModule> {
  try {
    return await import("@platformatic/kafka");
  } catch (cause) {
    const mistakes = "kafka() needs the package @platformatic/kafka, which is not installed: npm install @platformatic/kafka";
    throw fail("PR_CONFIG_INVALID", { mistakes }, { cause });
  }
}

/** The options that all clients share. */
export function clientBase({ brokers, clientId, tls, sasl }: KafkaConnection): ClientBase {
  return {
    clientId,
    bootstrapBrokers: [...brokers],
    ...(tls === undefined ? {} : { tls }),
    ...(sasl === undefined ? {} : { sasl }),
    autocreateTopics: false,
    connectTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    timeout: BROKER_TIMEOUT_MS,
    metadataMaxAge: METADATA_MAX_AGE_MS,
  };
}
