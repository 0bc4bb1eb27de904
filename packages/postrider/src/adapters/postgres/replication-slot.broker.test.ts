import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { missingServer, withSchema } from "./postgres.test-support.ts";
import type { TestSchema } from "./postgres.test-support.ts";
import { ReplicationSlot } from "./replication-slot.ts";
import { bound } from "./statement.ts";
import type { Run } from "./statement.ts";

/** Runs statements of two who both look for a publication before either makes it. */
function together(schema: TestSchema): Run {
  const { connections } = schema.connect();
  const bothLooked = Promise.withResolvers<void>();
  let looked = 0;
  return async (statement, ...values) => {
    if (statement.text.startsWith("create publication")) await bothLooked.promise;
    const result = await connections.query(bound(statement, values, statement.name !== ""));
    if (statement.text.includes("pg_publication_tables") && ++looked === 2) bothLooked.resolve();
    return result;
  };
}

// Without a server there is nothing to check; the bench says why there is none.
describe.skipIf(missingServer() !== undefined)("the slot of an outbox", () => {
  test("two services of a schema that start together share the publication that one of them makes", () =>
    withSchema(async (schema) => {
      await schema.connect().store("billing").open();
      const run = together(schema);
      const slots = ["billing", "shipping"].map((service) => new ReplicationSlot({ run, service, schema: schema.name, migrates: true }));
      try {
        const [one, other] = await Promise.all(slots.map((slot) => slot.ready(undefined)));
        assert.equal(one!.publication, other!.publication);
        assert.notEqual(one!.slot, other!.slot);
      } finally {
        for (const { slot } of await Promise.all(slots.map((each) => each.lag())))
          await schema.admin("select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1", slot);
      }
    }));
});
