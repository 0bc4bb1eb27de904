import assert from "node:assert/strict";
import type { Envelope, FoundMessage, Outgoing } from "../../envelope/envelope.ts";
import type { Delivery } from "../../ports/transport.ts";
import type { TransportEnvironment } from "../transport-environment.ts";
import { needs } from "./test.ts";
import type { TransportTest } from "./test.ts";

const MIB = 1 << 20;
const EVERY_ATTRIBUTE: Partial<Envelope> = {
  datacontenttype: "application/json",
  dataschema: "https://example.org/order?v=1#top",
  subject: "주문/7",
  partitionkey: '손님 – "7"',
  correlationid: "correlation",
  causationid: "cause",
  conversationid: "conversation",
  rootid: "root",
  inreplyto: "question",
  replyto: "somewhere:else",
  expirytime: "2036-01-01T00:00:00.000Z",
  tenant: "acme; drop table",
  adaptedfrom: "original",
  adaptedto: "1 2",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  tracestate: "vendor=value",
  baggage: "user=%ED%99%8D",
};
const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, at) => at);
const BODIES: readonly (readonly [string, string | Uint8Array])[] = [
  ["the empty text", ""],
  ["no bytes", new Uint8Array(0)],
  ["text with NUL", "before\u0000after\u0000"],
  ["a text of one NUL", "\u0000"],
  ["text of many scripts", "주문 완료 ✓ 𝕫 \u{1f4ee} ﷽ \u2028 \ufeff"],
  ["text that starts with a byte order mark", "\ufeff{}"],
  ["text with quotes, backslashes and line ends", "'\"\\\r\n\t${x} ? %s"],
  ["every byte there is", ALL_BYTES],
  ["bytes that are not UTF-8", Uint8Array.of(0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80)],
  ["one lone byte of a longer character", Uint8Array.of(0xe2)],
  ["1 MiB of text", "é".repeat(MIB / 2)],
  ["1 MiB of bytes", Uint8Array.from({ length: MIB }, (_, at) => (at * 31) & 0xff)],
];

/** What arrives is what was sent. */
export const fidelityTests: readonly TransportTest[] = [
  {
    name: "every attribute of the envelope arrives as it was sent, and none is added",
    async run(env) {
      const [full, plain] = await roundTrip(env, (destination) => [
        env.message(destination, { attributes: EVERY_ATTRIBUTE }),
        env.message(destination),
      ]);
      assert.deepEqual(attributesOf(full!.found), attributesOf(full!.sent));
      assert.deepEqual(attributesOf(plain!.found), attributesOf(plain!.sent));
    },
  },
  {
    name: "headers arrive with their names and values: empty, long, of many scripts, and bytes",
    async run(env) {
      const headers = {
        empty: "",
        "X-Mixed-Case": "Value",
        unicode: "값 ✓ \u{1f4ee}",
        long: "x".repeat(8000),
        binary: ALL_BYTES,
        "no-bytes": new Uint8Array(0),
      };
      const [one] = await roundTrip(env, (destination) => [env.message(destination, { headers })]);
      assert.deepEqual(plainHeaders(one!.found), plainHeaders(one!.sent));
    },
  },
  {
    name: "header names that are special in JavaScript are names like others",
    async run(env) {
      const headers = Object.assign(Object.create(null) as Record<string, string>, {
        constructor: "a",
        toString: "b",
        hasOwnProperty: "c",
      });
      const [one] = await roundTrip(env, (destination) => [env.message(destination, { headers })]);
      assert.deepEqual(plainHeaders(one!.found), { constructor: "a", hasOwnProperty: "c", toString: "b" });
      assert.equal(({} as Record<string, unknown>)["a"], undefined);
    },
  },
  ...BODIES.map(([what, body]): TransportTest => ({
    name: `a body arrives exactly: ${what}`,
    async run(env) {
      const [one] = await roundTrip(env, (destination) => [env.message(destination, { body })]);
      assert.equal(typeof one!.found.body, typeof body);
      assert.ok(Buffer.from(one!.found.body as string).equals(Buffer.from(body as string)), "the bytes are the same");
      assert.ok(one!.found.bytes >= Buffer.byteLength(body), "its size is told");
    },
  })),
  {
    name: "bytes that the sender changes after the send arrive unchanged",
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed();
      const body = Uint8Array.of(1, 2, 3);
      await env.send(transport, [env.message(orders, { body })]);
      body.fill(9);
      const reader = await env.consume(transport, subscription);
      await env.until(() => reader.count() === 1, "it had come");
      assert.deepEqual([...(reader.deliveries[0]!.body as Uint8Array)], [1, 2, 3]);
    },
  },
  {
    name: "whether a message may repeat is told to its reader",
    async run(env) {
      const sent = await roundTrip(env, (destination) => [{ ...env.message(destination), mayRepeat: true }, env.message(destination)]);
      assert.deepEqual(
        sent.map(({ found }) => found.mayRepeat),
        [true, false],
      );
    },
  },
  {
    name: "a foreign message arrives byte for byte, without an envelope",
    notFor: needs("foreign"),
    async run(env) {
      const { transport, orders, subscription } = await env.subscribed(env.destination("foreign.events"));
      await env.fixture.plant!(orders.name, { headers: { "event-type": "member.updated.v1" }, body: Uint8Array.of(0xff, 0, 0x7b) });
      const reader = await env.consume(transport, subscription);
      await env.until(() => reader.deliveries.length === 1, "it had come");
      const [found] = reader.deliveries;
      assert.equal(found!.envelope, undefined);
      assert.deepEqual(plainHeaders(found!), { "event-type": "member.updated.v1" });
      assert.deepEqual([...(found!.body as Uint8Array)], [0xff, 0, 0x7b]);
    },
  },
];

interface RoundTrip {
  readonly sent: Outgoing;
  readonly found: Delivery;
}

async function roundTrip(
  env: TransportEnvironment,
  make: (destination: ReturnType<TransportEnvironment["destination"]>) => readonly Outgoing[],
): Promise<RoundTrip[]> {
  const { transport, orders, subscription } = await env.subscribed();
  const reader = await env.consume(transport, subscription);
  const messages = make(orders);
  await env.send(transport, messages);
  await env.until(() => reader.count() === messages.length, "all had come");
  return messages.map((sent) => ({ sent, found: reader.deliveries.find(({ envelope }) => envelope?.id === sent.envelope.id)! }));
}

/** Attributes to compare: a content type that is the default may be absent, since brokers have one header for both. */
function attributesOf({ envelope }: Pick<FoundMessage, "envelope">): Partial<Envelope> {
  const { datacontenttype, ...others } = envelope!;
  return datacontenttype === undefined || datacontenttype === "application/json" ? others : { datacontenttype, ...others };
}

/** Headers to compare: bytes as lists, no prototype in the way. */
function plainHeaders({ headers }: Pick<FoundMessage, "headers">): Record<string, unknown> {
  const names = Object.keys(headers).sort();
  return Object.fromEntries(names.map((name) => [name, typeof headers[name] === "string" ? headers[name] : [...headers[name]!]]));
}
