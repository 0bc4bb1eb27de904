import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Retirement } from "../../ports/transport.ts";
import type { PgQueryable } from "./connection.ts";
import { backlogOf } from "./log-backlog.ts";
import { readDestinations, unknownDestination } from "./log-destinations.ts";
import type { LogPlace } from "./log-place.ts";
import { FINISHED, lockTopology } from "./log-topology.ts";

/**
 * Deletes a subscription's cursors, inside a transaction of the caller's.
 *
 * Whoever begins to read it meanwhile waits for the topology's lock. @throws PR_DESTINATION_UNKNOWN, PR_SUBSCRIPTION_USED
 */
export async function retireSubscription(client: PgQueryable, log: LogPlace, retirement: Retirement): Promise<void> {
  const { service, destination, dropUnread } = retirement;
  const { schema } = log;
  await lockTopology(client, schema);
  const [found] = await readDestinations(client, schema, [destination]);
  if (found === undefined) throw unknownDestination(destination);
  const refusal = (reason: string): PostriderError => fail("PR_SUBSCRIPTION_USED", { service, destination, reason });
  const values = [service, found.id];
  const alive = `select 1 from ${schema}.pr_members where service = $1 and destination = $2 and alive_until >= ${schema}.pr_now()`;
  const leased = `select 1 from ${schema}.pr_cursors where service = $1 and destination = $2 and owner is not null and lease_until >= ${schema}.pr_now()`;
  const { rows } = await client.query({ text: `select exists (${alive}) or exists (${leased}) as "isRead"`, values });
  if (rows[0]!["isRead"] === true) throw refusal("somebody reads it; stop the service first");
  const nearest = await client.query({
    text: `select min(${FINISHED}) as nearest from ${schema}.pr_cursors where service = $1 and destination = $2`,
    values,
  });
  const from = nearest.rows[0]!["nearest"];
  const unread = from === null ? 0 : await backlogOf(log, found.id, service, Number(from));
  if (unread > 0 && !dropUnread) throw refusal(`it has ${unread} unread messages; let them be handled, or say dropUnread`);
  const gone = `delete from ${schema}.pr_cursors where service = $1 and destination = $2 returning id`;
  await client.query({ text: `with gone as (${gone}) delete from ${schema}.pr_done where cursor in (select id from gone)`, values });
}
