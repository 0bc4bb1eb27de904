import { Admin, type AdminOptions } from "@platformatic/kafka";
import { connect, credentials } from "amqplib";
import { createConnection } from "mysql2/promise";
import { Client } from "pg";
import { expect, test } from "vitest";
import type { SecureAccess } from "./secure-access.ts";
import type { BrokerKind } from "./kinds.ts";
import { missingOwn, ownBroker } from "./own.ts";

type Way = "password" | "certificate";

/** Gets in, asks something, and says as whom. */
const KNOCK: Readonly<Record<Exclude<BrokerKind, "kafka">, (access: SecureAccess, way: Way, password: string) => Promise<string>>> = {
  async postgres(access, way, password) {
    const client = new Client({ connectionString: urlOf(access, way, password), ssl: tlsOf(access, way) });
    try {
      await client.connect();
      const { rows } = await client.query<{ name: string }>(
        "select current_user as name from pg_stat_ssl where pid = pg_backend_pid() and ssl",
      );
      return rows[0]!.name;
    } finally {
      await client.end();
    }
  },
  async mariadb(access, way, password) {
    const connection = await createConnection({ uri: urlOf(access, way, password), ssl: tlsOf(access, way) });
    const [rows] = await connection.query("select substring_index(current_user(), '@', 1) as name");
    connection.destroy();
    return (rows as { name: string }[])[0]!.name;
  },
  async rabbitmq(access, way, password) {
    const external = way === "certificate" ? { credentials: credentials.external() } : {};
    const connection = await connect(urlOf(access, way, password), { ...tlsOf(access, way), ...external });
    await connection.createChannel();
    await connection.close();
    return way === "certificate" ? "certified" : access.user;
  },
};

for (const kind of ["postgres", "mariadb", "rabbitmq"] as const) {
  const missing = missingOwn(kind, { isSecure: true });

  // The reason stands in the name.
  test.skipIf(missing !== undefined)(`${kind} lets in by TLS who has the password or the certificate${reason(missing)}`, async () => {
    await using broker = await ownBroker(kind, { isSecure: true });
    const access = broker.secure!;
    expect(await KNOCK[kind](access, "password", access.password)).toBe("secure");
    expect(await KNOCK[kind](access, "certificate", "")).toBe("certified");
    await expect(KNOCK[kind](access, "password", "wrong")).rejects.toBeInstanceOf(Error);
    await expect(KNOCK[kind]({ ...access, clientCertificate: "", clientKey: "" }, "certificate", "")).rejects.toBeInstanceOf(Error);
    await expect(KNOCK[kind]({ ...access, ca: "" }, "password", access.password)).rejects.toBeInstanceOf(Error);
  });
}

const missingKafka = missingOwn("kafka", { isSecure: true });

// The reason stands in the name.
test.skipIf(missingKafka !== undefined)(
  `kafka lets in by every SASL mechanism, with TLS and without, and by certificate${reason(missingKafka)}`,
  async () => {
    await using broker = await ownBroker("kafka", { isSecure: true });
    const { user, password, ca, url, withoutTlsUrl, certifiedUrl, ...access } = broker.secure!;
    for (const mechanism of ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const) {
      for (const [place, tls] of [
        [url, { ca }],
        [withoutTlsUrl!, undefined],
      ] as const) {
        await brokersSeen(place, { sasl: { mechanism, username: user, password }, ...(tls && { tls }) });
        await expect(
          brokersSeen(place, { sasl: { mechanism, username: user, password: "wrong" }, ...(tls && { tls }) }),
        ).rejects.toBeInstanceOf(Error);
      }
    }
    await brokersSeen(url, { sasl: { mechanism: "OAUTHBEARER", token: unsignedToken(user) }, tls: { ca } });
    await expect(brokersSeen(url, { sasl: { mechanism: "OAUTHBEARER", token: "no.to.ken" }, tls: { ca } })).rejects.toBeInstanceOf(Error);
    await brokersSeen(certifiedUrl, { tls: { ca, key: access.clientKey, cert: access.clientCertificate } });
    await expect(brokersSeen(certifiedUrl, { tls: { ca } })).rejects.toBeInstanceOf(Error);
  },
);

async function brokersSeen(url: string, options: Partial<AdminOptions>): Promise<void> {
  const limitMs = 5000;
  const admin = new Admin({
    clientId: "secure",
    bootstrapBrokers: [new URL(url).host],
    retries: 0,
    timeout: limitMs,
    requestTimeout: limitMs,
    ...options,
  });
  try {
    expect((await admin.metadata({ topics: [] })).brokers.size).toBe(1);
  } finally {
    await admin.close();
  }
}

function urlOf(access: SecureAccess, way: Way, password: string): string {
  return way === "certificate" ? access.certifiedUrl : access.url.replace(access.password, password);
}

function tlsOf({ ca, clientKey, clientCertificate }: SecureAccess, way: Way) {
  const proof = way === "certificate" && clientKey !== "" ? { key: clientKey, cert: clientCertificate } : {};
  return { ...(ca !== "" && { ca }), ...proof };
}

/** As Kafka's own unsecured login makes it. */
function unsignedToken(user: string): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");
  const nowSeconds = Math.floor(Date.now() / 1000);
  return `${encode({ alg: "none" })}.${encode({ sub: user, iat: nowSeconds, exp: nowSeconds + 3600 })}.`;
}

function reason(missing: string | undefined): string {
  return missing === undefined ? "" : ` (${missing})`;
}
