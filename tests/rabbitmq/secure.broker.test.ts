import { describe, expect, test } from "vitest";
import type { RabbitmqOptions } from "../../packages/postrider/src/presets/rabbitmq.ts";
import { missingOwn, ownBroker } from "../brokers/own.ts";
import type { SecureAccess } from "../brokers/secure-access.ts";
import { ORDERS, Taker, numbered, openTransport, subscriptionOf, until } from "./harness.ts";

const missing = missingOwn("rabbitmq", { isSecure: true });

/** How one gets in. */
const WAYS: Readonly<Record<string, (access: SecureAccess) => RabbitmqOptions>> = {
  "PLAIN over TLS": ({ url, ca }) => ({ url, tls: { ca } }),
  "AMQPLAIN over TLS": ({ url, ca }) => ({ url, tls: { ca }, sasl: "AMQPLAIN" }),
  "EXTERNAL, by the client's certificate": ({ certifiedUrl, ca, clientKey, clientCertificate }) => ({
    url: certifiedUrl,
    tls: { ca, key: clientKey, cert: clientCertificate },
    sasl: "EXTERNAL",
  }),
};

/** How one does not. */
const REFUSED: Readonly<Record<string, (access: SecureAccess) => RabbitmqOptions>> = {
  "a wrong password": ({ url, ca, password }) => ({ url: url.replace(password, "wrong"), tls: { ca } }),
  "EXTERNAL without a certificate": ({ certifiedUrl, ca }) => ({ url: certifiedUrl, tls: { ca }, sasl: "EXTERNAL" }),
  "a server that nobody vouches for": ({ url }) => ({ url }),
};

// The reason stands in the name.
describe.skipIf(missing !== undefined)(`RabbitMQ by TLS${missing === undefined ? "" : ` (${missing})`}`, () => {
  test("carries messages by every way in, and by no other; a secret is in no error", { timeout: 120_000 }, async () => {
    await using broker = await ownBroker("rabbitmq", { isSecure: true });
    const access = broker.secure!;
    for (const [way, optionsOf] of Object.entries(WAYS)) {
      const { url, ...options } = optionsOf(access);
      const transport = await openTransport(url as string, options);
      await transport.apply({ destinations: [ORDERS], subscriptions: [subscriptionOf()] });
      const taker = new Taker();
      const consumption = await transport.consume(subscriptionOf(), taker);
      const large = "x".repeat(300_000); // several frames
      const outcomes = await transport.send(
        Array.from({ length: 50 }, (_, at) => numbered(at, 5, large)),
        { deadlineMs: 20_000 },
      );
      expect([way, outcomes.filter((outcome) => outcome !== undefined)]).toEqual([way, []]);
      await until(() => taker.seen.size === 50, `all had come by ${way}`);
      await consumption.close();
      await transport.close();
    }
    for (const [way, optionsOf] of Object.entries(REFUSED)) {
      const { url, ...options } = optionsOf(access);
      const refusal = await openTransport(url as string, options).catch((error: unknown) => error);
      expect([way, refusal]).toMatchObject([way, { code: "PR_TRANSPORT_FAILED" }]);
      expect(String(refusal)).not.toContain(access.password);
    }
  });
});
