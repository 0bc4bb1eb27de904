import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { command, createBus, service } from "postrider";
import type { Bus, StandardSchema } from "postrider";
import { postgres } from "postrider/postgres";

interface Thing {
  readonly id: string;
}

const Things: StandardSchema<Thing, Thing> = {
  "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: value as Thing }) },
};

/** Writes one row; the first that looks and finds others' rows in its own transaction ends its process there, and whenever it comes again. */
export const AddThing = command("thing.add", { schema: Things, key: ({ id }) => id });

// One statement: a second one, behind which another turn has begun, would send it back to run alone.
const ADD_AND_LOOK = `with added as (insert into things (id) values (?) returning 1)
  select count(*)::int as n from things where xmin = pg_current_xact_id()::xid`;

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** An app of two services, of which one runs here. `poisonFile` is where the message that ends its process is written. */
export async function sharingApp(url: string, run: "posting" | "adding", poisonFile: string): Promise<Bus> {
  const adding = service(
    "adding",
    (on) =>
      on(AddThing, async ({ id }, { tx }) => {
        if (!id.startsWith("look")) return void (await tx.run("insert into things (id) values (?)", id));
        const others = (await tx.get<{ n: number }>(ADD_AND_LOOK, id))!.n;
        if (others > 0 && !existsSync(poisonFile)) writeFileSync(poisonFile, id);
        if (existsSync(poisonFile) && readFileSync(poisonFile, "utf8") === id) process.abort();
      }),
    { inboxAlways: true, concurrency: 50 },
  );
  const services = [service("posting", () => undefined), adding];
  const bus = createBus({ services, ...postgres({ url, schema: "shared", logger: SILENT, leaseMs: 1000 }), logger: SILENT, run: [run] });
  await bus.start();
  return bus;
}
