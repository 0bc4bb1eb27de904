import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KafkaOptions } from "../../packages/postrider/src/presets/kafka.ts";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import type { OwnBroker } from "../brokers/own.ts";
import type { SecureAccess } from "../brokers/secure-access.ts";
import { freshDestination, numbered, openTransport, subscriptionTo, take, until } from "./harness.ts";

const missing = missingOwn("kafka", { isSecure: true });
const MESSAGES = 20;

/** What goes wrong on any connection that the adapter makes: administration, sending, the group, fetching, commits. */
async function roundTrip(url: string, options: Partial<KafkaOptions>): Promise<readonly unknown[]> {
  const transport = await openTransport(url, options);
  try {
    const destination = freshDestination(2);
    const subscription = subscriptionTo(destination);
    await transport.apply({ destinations: [destination], subscriptions: [subscription] });
    const messages = Array.from({ length: MESSAGES }, (_, at) => numbered(destination, at, 5));
    expect(await transport.send(messages, { deadlineMs: 10_000 })).toEqual(messages.map(() => undefined));
    const taker = await take(transport, subscription);
    await until(() => taker.taken.length === MESSAGES, "all had come");
    const [status] = await transport.inspect();
    expect([status?.messages, status?.subscriptions]).toEqual([MESSAGES, [{ service: "reader", backlog: 0 }]]);
    return taker.errors;
  } finally {
    await transport.close();
  }
}

/** What comes of it when a cluster does not let the adapter in. */
async function refusalOf(url: string, options: Partial<KafkaOptions>): Promise<unknown> {
  const transport = await openTransport(url, options);
  try {
    const destination = freshDestination(1);
    await transport.apply({ destinations: [destination], subscriptions: [] });
    return undefined;
  } catch (error) {
    return error;
  } finally {
    await transport.close();
  }
}

function asUser({ user, password }: SecureAccess, mechanism: NonNullable<KafkaOptions["sasl"]>["mechanism"]): Partial<KafkaOptions> {
  return { sasl: { mechanism, username: user, password: () => Promise.resolve(password) } };
}

// The reason stands in the name.
describe.skipIf(missing !== undefined)(`a cluster that asks who comes${missing === undefined ? "" : ` (${missing})`}`, () => {
  let broker: OwnBroker;
  beforeAll(async () => {
    broker = await ownBroker("kafka", { isSecure: true });
    // Its first handshake of TLS may take it seconds: longer than a connection is waited for.
    const { url, ca, ...access } = broker.secure!;
    const transport = await openTransport(url, { tls: { ca }, ...asUser({ url, ca, ...access }, "PLAIN") });
    await until(() => transport.plan({ destinations: [freshDestination(1)], subscriptions: [] }).then(Boolean, () => false), "it let in");
    await transport.close();
  });
  afterAll(() => broker[Symbol.asyncDispose]());

  test.each<[way: string, come: (access: SecureAccess) => { readonly url: string; readonly options: Partial<KafkaOptions> }]>([
    ["PLAIN over TLS", (access) => ({ url: access.url, options: { tls: { ca: access.ca }, ...asUser(access, "PLAIN") } })],
    ["SCRAM-SHA-256 over TLS", (access) => ({ url: access.url, options: { tls: { ca: access.ca }, ...asUser(access, "SCRAM-SHA-256") } })],
    ["SCRAM-SHA-512 over TLS", (access) => ({ url: access.url, options: { tls: { ca: access.ca }, ...asUser(access, "SCRAM-SHA-512") } })],
    ["SCRAM-SHA-256 in the clear", (access) => ({ url: access.withoutTlsUrl!, options: asUser(access, "SCRAM-SHA-256") })],
    [
      "a client's certificate",
      ({ certifiedUrl, ca, clientKey, clientCertificate }) => ({
        url: certifiedUrl,
        options: { tls: { ca, key: clientKey, cert: clientCertificate } },
      }),
    ],
  ])("%s lets the whole adapter in", async (_, come) => {
    const { url, options } = come(broker.secure!);
    expect(await roundTrip(url, options)).toEqual([]);
  });

  test("a wrong password, a missing certificate and an unknown authority are errors that say so, and show no secret", async () => {
    const access = broker.secure!;
    const tls = { ca: access.ca };
    const refused = { code: expect.stringMatching(/^PR_TRANSPORT_/) as string };
    const wrong = { ...access, password: "an-open-secret" };
    for (const mechanism of ["PLAIN", "SCRAM-SHA-256"] as const) {
      const error = await refusalOf(access.url, { tls, ...asUser(wrong, mechanism) });
      expect(error).toMatchObject(refused);
      expect(String(error)).not.toContain("an-open-secret");
    }
    expect(await refusalOf(access.certifiedUrl, { tls })).toMatchObject(refused);
    expect(await refusalOf(access.url, { tls: {}, ...asUser(access, "PLAIN") })).toMatchObject(refused);
  });
});
