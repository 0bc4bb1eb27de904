import { BROKER_KINDS, type BrokerAddresses } from "./kinds.ts";

/** What a run has to say about its servers: a line for each that is missing. Throws them under `CI=true`, except for those that were not asked for. */
export function verdict(addresses: BrokerAddresses, environment: NodeJS.ProcessEnv): readonly string[] {
  const missing = BROKER_KINDS.flatMap((kind) => {
    const address = addresses[kind];
    return address.missing === undefined ? [] : [{ line: `no ${kind}: ${address.missing}`, isUnwanted: address.isUnwanted === true }];
  });
  const unexpected = missing.filter(({ isUnwanted }) => !isUnwanted);
  if (environment["CI"] === "true" && unexpected.length > 0)
    throw new Error(`CI needs every broker.\n${unexpected.map(({ line }) => line).join("\n")}`);
  return missing.map(({ line }) => line);
}
