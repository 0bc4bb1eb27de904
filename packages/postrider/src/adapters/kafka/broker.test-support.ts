import { inject } from "vitest";

interface Address {
  readonly url?: string | undefined;
  readonly missing?: string | undefined;
}

/** The bench's Kafka (see tests/brokers), or why there is none. */
export function benchKafka(): Address {
  return (inject as (name: string) => { readonly kafka: Address })("brokers").kafka;
}

/** The bootstrap servers of a broker. */
export function brokersOf({ url, missing }: Address): string[] {
  if (url === undefined) throw new Error(missing ?? "there is no broker");
  return [url.replace(/^kafka:\/\//, "")];
}
