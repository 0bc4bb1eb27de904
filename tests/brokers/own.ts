import { openssl } from "./certificates.ts";
import { hasDocker } from "./containers.ts";
import type { BrokerKind } from "./kinds.ts";
import type { ServerOptions } from "./recipe.ts";
import { RECIPES } from "./recipes/recipes.ts";
import { type OwnBroker, startServer } from "./server.ts";

export type { OwnBroker } from "./server.ts";

/**
 * A private server that the caller may kill, freeze and start again: `await using broker = await ownBroker("kafka")`.
 *
 * Resolves when it answers a real query. It and its data are gone when it is closed, and also when this process ends in any way.
 * Rejects with what to install if it cannot be started here; {@link missingOwn} tells that beforehand.
 */
export async function ownBroker(kind: BrokerKind, options: ServerOptions = {}): Promise<OwnBroker> {
  const missing = missingOwn(kind, options);
  if (missing !== undefined) throw new Error(missing);
  return startServer(kind, RECIPES[kind], options);
}

/** Why no such private server can be started here, for a test's skip; undefined if one can. */
export function missingOwn(kind: BrokerKind, { isSecure = false }: ServerOptions = {}): string | undefined {
  const missing = RECIPES[kind].missing();
  if (isSecure) return missing ?? (openssl() === undefined ? "openssl is not installed" : undefined);
  return missing === undefined || hasDocker() ? undefined : `${missing}; and Docker does not answer`;
}
