import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPool } from "mysql2/promise";
import { Pool } from "pg";
import { command, createBus, event, service } from "postrider";
import type { Infrastructure, StandardSchema } from "postrider";
import { memory } from "postrider/memory";
import { mysqlStores } from "postrider/mysql";
import { postgres, postgresStores } from "postrider/postgres";
import { describe, expect, test } from "vitest";
import { until } from "../postgres/wait.ts";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import type { SecureAccess } from "../brokers/secure-access.ts";

interface Order {
  readonly orderId: string;
}

/** The files of somebody's access, where a URL names them. */
interface Files {
  readonly ca: string;
  readonly key: string;
  readonly certificate: string;
}

type Way = (access: SecureAccess, files: Files, stack: AsyncDisposableStack) => Infrastructure;

const schema: StandardSchema<Order, Order> = {
  "~standard": { version: 1, vendor: "none", validate: (value) => ({ value: value as Order }) },
};
const PlaceOrder = command("order.place", { schema, key: ({ orderId }) => orderId });
const OrderPlaced = event("order.placed", { schema, key: ({ orderId }) => orderId });
const ORDERS = 40;

const POSTGRES_WAYS: Readonly<Record<string, Way>> = {
  "a url with a password, for messages and stores": ({ url }, { ca }) =>
    postgres({ url: `${url}?sslmode=verify-full&sslrootcert=${ca}`, schema: "by_password" }),
  "a url with a certificate": ({ certifiedUrl }, { ca, key, certificate }) =>
    postgres({
      url: `${certifiedUrl}?sslmode=verify-full&sslrootcert=${ca}&sslcert=${certificate}&sslkey=${key}`,
      schema: "by_certificate",
    }),
  "a pool": ({ url, ca }, _files, stack) =>
    postgres({ pool: stack.adopt(new Pool({ connectionString: url, ssl: { ca } }), (pool) => pool.end()), schema: "by_pool" }),
  "an outbox read by replication": ({ url }, { ca }) => ({
    ...memory(),
    store: postgresStores({ url: `${url}?sslmode=verify-full&sslrootcert=${ca}`, schema: "by_slot", outbox: { by: "replication" } }),
  }),
};

const MYSQL_WAYS: Readonly<Record<string, Way>> = {
  "a url with a password": ({ url, ca }) => ({ ...memory(), store: mysqlStores({ url: `${url}?ssl=${encoded({ ca })}` }) }),
  "a pool with a certificate": ({ certifiedUrl, ca, clientKey, clientCertificate }, _files, stack) => {
    const pool = createPool({ uri: certifiedUrl, ssl: { ca, key: clientKey, cert: clientCertificate } });
    return { ...memory(), store: mysqlStores({ pool: stack.adopt(pool, () => pool.end()) }) };
  },
};

const KINDS = [
  {
    kind: "postgres",
    ways: POSTGRES_WAYS,
    settings: { wal_level: "logical" },
    refused: ({ url }: SecureAccess) => postgres({ url: `${url}?sslmode=verify-full` }).store,
  },
  {
    kind: "mariadb",
    ways: MYSQL_WAYS,
    settings: {},
    refused: ({ url }: SecureAccess) => mysqlStores({ url: `${url}?ssl=${encoded({ rejectUnauthorized: true })}` }),
  },
] as const;

describe.each(KINDS)("an app on $kind by TLS", ({ kind, ways, settings, refused }) => {
  const missing = missingOwn(kind, { isSecure: true });

  // The reason stands in the name.
  test.skipIf(missing !== undefined)(
    `handles what it sends by every way in; a server that nobody vouches for is refused, with no secret in the error${missing === undefined ? "" : ` (${missing})`}`,
    { timeout: 120_000 },
    async () => {
      await using server = await ownBroker(kind, { isSecure: true, settings });
      const access = server.secure!;
      await using stack = new AsyncDisposableStack();
      const files = await written(access, stack);
      for (const [way, infrastructureOf] of Object.entries(ways))
        expect([way, await handled(infrastructureOf(access, files, stack))]).toEqual([way, ORDERS]);
      const store = (refused(access) as Exclude<Infrastructure["store"], "none">)("mailing");
      const refusal = await store.open().then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(refusal).toMatchObject({ code: "PR_STORE_FAILED" });
      expect(String(refusal)).not.toContain(access.password);
      await store.close();
    },
  );
});

/** How many orders came through command, outbox and event, each with a row in the transaction of its handler. */
async function handled(infrastructure: Infrastructure): Promise<number> {
  const mails = new Set<string>();
  const ordering = service("ordering", (on) => {
    on(PlaceOrder, async (order, { tx, publish }) => {
      await tx.run("insert into tls_orders (id) values (?)", order.orderId);
      publish(OrderPlaced, order);
    });
  });
  const mailing = service("mailing", (on) => on(OrderPlaced, ({ orderId }) => void mails.add(orderId)));
  await using bus = createBus({ services: [ordering, mailing], ...infrastructure });
  await bus.start();
  const shop = bus.as("ordering");
  await shop.transaction(({ tx }) => tx.run("drop table if exists tls_orders"));
  await shop.transaction(({ tx }) => tx.run("create table tls_orders (id varchar(64) not null)"));
  for (let at = 0; at < ORDERS; at++) await shop.send(PlaceOrder, { orderId: `o-${at}` });
  await until(() => mails.size === ORDERS);
  return (await shop.read.all("select id from tls_orders")).length;
}

async function written({ ca, clientKey, clientCertificate }: SecureAccess, stack: AsyncDisposableStack): Promise<Files> {
  const folder = await mkdtemp(join(tmpdir(), "postrider-tls-"));
  stack.defer(() => rm(folder, { recursive: true }));
  const files = { ca: join(folder, "ca.pem"), key: join(folder, "key.pem"), certificate: join(folder, "certificate.pem") };
  await Promise.all([
    writeFile(files.ca, ca),
    writeFile(files.key, clientKey, { mode: 0o600 }),
    writeFile(files.certificate, clientCertificate),
  ]);
  return files;
}

function encoded(ssl: object): string {
  return encodeURIComponent(JSON.stringify(ssl));
}
