import {
  BROKER_KINDS,
  type BrokerAddress,
  type BrokerAddresses,
  type BrokerKind,
  KINDS_VARIABLE,
  MANAGEMENT_VARIABLE,
  URL_VARIABLES,
} from "./kinds.ts";
import { missingOwn, type OwnBroker, ownBroker } from "./own.ts";

/** One server per kind, shared by all tests of a run. */
export interface BrokerBench extends AsyncDisposable {
  readonly addresses: BrokerAddresses;
  close(): Promise<void>;
}

/** Starts all kinds at once, each from the environment's URL, else from what is installed. What cannot be had is told, never thrown. */
export async function startBench(environment: NodeJS.ProcessEnv = process.env): Promise<BrokerBench> {
  const own: OwnBroker[] = [];
  const found = await Promise.all(BROKER_KINDS.map(async (kind) => [kind, await address(kind, environment, own)] as const));
  const close = async (): Promise<void> => void (await Promise.all(own.map((broker) => broker.close())));
  return { addresses: Object.fromEntries(found) as Record<BrokerKind, BrokerAddress>, close, [Symbol.asyncDispose]: close };
}

async function address(kind: BrokerKind, environment: NodeJS.ProcessEnv, own: OwnBroker[]): Promise<BrokerAddress> {
  const given = fromEnvironment(kind, environment);
  const missing = given === undefined ? missingOwn(kind) : undefined;
  if (given !== undefined || missing !== undefined) return given ?? { missing: missing! };
  try {
    const broker = await ownBroker(kind);
    own.push(broker);
    return { url: broker.url, ...(broker.managementUrl !== undefined && { managementUrl: broker.managementUrl }) };
  } catch (error) {
    return { missing: `${kind} could not be started: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function fromEnvironment(kind: BrokerKind, environment: NodeJS.ProcessEnv): BrokerAddress | undefined {
  const url = environment[URL_VARIABLES[kind]];
  const managementUrl = kind === "rabbitmq" ? environment[MANAGEMENT_VARIABLE] : undefined;
  if (url) return { url, ...(managementUrl && { managementUrl }) };
  const kinds = environment[KINDS_VARIABLE];
  const isWanted = !kinds || kinds.split(",").some((name) => name.trim() === kind);
  return isWanted ? undefined : { missing: `not among ${KINDS_VARIABLE}=${kinds}`, isUnwanted: true };
}
