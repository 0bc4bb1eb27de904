import { fail } from "../../base/errors.ts";
import type { PostriderError } from "../../base/errors.ts";
import type { Retirement } from "../../ports/transport.ts";
import type { Connection } from "./connection.ts";
import { hasEnded } from "./life-mark.ts";
import { destinationStatuses } from "./log-reader.ts";
import { findDestination, unknownDestination } from "./topology.ts";

/** Deletes a subscription's cursors, inside a turn; why not, if not. Nobody can begin to read it meanwhile, because the write lock is held. */
export function retireSubscription(connection: Connection, retirement: Retirement, nowMs: number): PostriderError | undefined {
  const { service, destination, dropUnread } = retirement;
  const found = findDestination(connection, destination);
  if (found === undefined) return unknownDestination(destination);
  const refusal = (reason: string): PostriderError => fail("PR_SUBSCRIPTION_USED", { service, destination, reason });
  if (isRead(connection, service, found.id, nowMs)) return refusal("somebody reads it; stop the service first");
  const status = destinationStatuses(connection).find((one) => one.destination === destination);
  const unread = status?.subscriptions.find((one) => one.service === service)?.backlog ?? 0;
  if (unread > 0 && !dropUnread) return refusal(`it has ${unread} unread messages; let them be handled, or say dropUnread`);
  connection.run("delete from pr_cursors where service = ? and destination = ?", service, found.id);
  return undefined;
}

function isRead(connection: Connection, service: string, destinationId: number, nowMs: number): boolean {
  const members = connection.all<{ id: string }>(
    "select id from pr_members where service = ? and destination = ? and alive_until >= ?",
    service,
    destinationId,
    nowMs,
  );
  return members.some(({ id }) => !hasEnded(id));
}
