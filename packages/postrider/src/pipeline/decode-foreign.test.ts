import { expect, test } from "vitest";
import { z } from "zod";
import { seededRandom } from "../base/random.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { command, event } from "../contracts/contract.ts";
import { contractIndex } from "../contracts/registry.ts";
import { NO_HEADERS } from "../envelope/envelope.ts";
import type { Envelope, FoundMessage } from "../envelope/envelope.ts";
import type { ForeignMapping } from "../envelope/foreign.ts";
import { bodyIdentity, headerIdentity, mappings } from "../envelope/foreign-mappings.ts";
import { decoder } from "./decode.ts";
import type { Decoded, ReadyMessage } from "./decode.ts";
import { service } from "./service.ts";

const schema = z.object({ orderId: z.string(), total: z.number() });
const Place = command("order.place", { schema });
const Placed = event("order.placed", { schema, key: (order) => order.orderId });
const mailing = service("mailing", (on) => (on(Placed, () => undefined), on(Place, () => undefined)));
const order = { orderId: "o-1", total: 5 };
const placed: Envelope = {
  id: "m-1",
  source: "/ordering",
  type: "order.placed",
  kind: "event",
  contractversion: 1,
  time: "2026-01-01T00:00:00.000Z",
  partitionkey: "o-1",
};

type Found = Partial<FoundMessage> & { readonly position?: number; readonly id?: string };

function stage(mapping?: ForeignMapping, newId?: () => string): (found: Found) => Decoded {
  const contracts = contractIndex([Place, Placed]);
  const options = { service: mailing, destination: { name: "order.events" }, contracts, clock: new VirtualClock() };
  const decode = decoder({ ...options, ...(mapping && { mapping }), ...(newId && { newId }) });
  return (found) =>
    decode({
      envelope: undefined,
      headers: NO_HEADERS,
      body: JSON.stringify(order),
      lane: { number: 3 },
      position: 7,
      ...found,
    }) as Decoded;
}

function ready(decoded: Decoded): ReadyMessage {
  if (decoded.kind !== "ready") throw new Error(`not ready: ${JSON.stringify(decoded)}`);
  return decoded;
}

const foreign = stage(mappings(headerIdentity(), bodyIdentity()));

test("a foreign message gets an envelope of ours from what its mapping finds", () => {
  const body = JSON.stringify({
    event_id: "f-1",
    event_type: "order.placed.v1",
    occurred_at: "2025-12-31T00:00:00Z",
    correlation_id: "c",
    data: order,
  });
  const decoded = ready(foreign({ body, headers: { tenant: "evil", "reply-to": "evil" } }));
  expect(decoded).toMatchObject({ body: order, key: "o-1", inboxId: "f-1" });
  expect(decoded.envelope).toEqual({
    id: "f-1",
    source: "/foreign/order.events",
    type: "order.placed",
    kind: "event",
    contractversion: 1,
    time: "2025-12-31T00:00:00Z",
    correlationid: "c",
  });
  expect(ready(foreign({ headers: { "event-type": "order.place" } })).envelope.kind).toBe("command");
});

test("a foreign message without id is known by its position, or by a new id where there is none", () => {
  const headers = { "event-type": "order.placed" };
  const first = ready(foreign({ headers })).inboxId;
  expect(ready(foreign({ headers })).inboxId).toBe(first);
  expect(ready(foreign({ headers, position: 8 })).inboxId).not.toBe(first);
  const held = ready(foreign({ headers, id: "held-1", position: 0 })).inboxId;
  expect([first, ready(foreign({ headers, id: "held-2", position: 0 })).inboxId]).not.toContain(held);
  let count = 0;
  const unplaced = stage(headerIdentity(), () => `new-${++count}`);
  expect(ready(unplaced({ headers })).inboxId).toBe("new-1");
});

test("a foreign message that was held is read again the same way, an edited copy as it is", () => {
  const body = JSON.stringify({ event_id: "f-1", event_type: "order.placed", payload: order });
  const { envelope } = ready(foreign({ body }));
  expect(ready(foreign({ envelope, body, id: "held" }))).toMatchObject({ envelope, body: order });
  expect(ready(foreign({ envelope, id: "held" })).body).toEqual(order);
});

test("where others write, what they claim of tenants, replies and copies is not believed", () => {
  const claimed = { ...placed, tenant: "evil", replyto: "evil", inreplyto: "x", adaptedfrom: "m-0", adaptedto: "2" };
  expect(ready(foreign({ envelope: claimed }))).toMatchObject({ envelope: placed, inboxId: "m-1", isAdapted: false });
  expect(ready(stage()({ envelope: claimed })).envelope.tenant).toBe("evil");
});

test.each([
  ["no mapping fits", {}, "{}", "PR_ENVELOPE_UNREADABLE"],
  ["neither mapping nor JSON fits", {}, "{", "PR_ENVELOPE_UNREADABLE"],
  ["its identity does not do", { "event-type": "x".repeat(1000) }, "{}", "PR_ENVELOPE_UNREADABLE"],
  ["its body is no JSON", { "event-type": "order.placed" }, "{", "PR_BODY_UNREADABLE"],
])("a foreign message is unreadable when %s", (_name, headers, body, code) => {
  expect(foreign({ headers, body })).toMatchObject({ kind: "unreadable", error: { code } });
});

test("a mapping that throws makes the message unreadable, nothing more", () => {
  const broken = stage(() => {
    throw new Error("oops");
  });
  expect(broken({})).toMatchObject({ kind: "unreadable", error: { details: { detail: "its foreign mapping threw" } } });
});

test("no message at all makes it throw, hang or pollute anything", () => {
  const random = seededRandom(42);
  const pick = <Value>(values: readonly Value[]): Value => values[Math.floor(random.next() * values.length)]!;
  const bodies = [
    "",
    "{",
    "null",
    `{"__proto__":{"orderId":1}}`,
    `{"orderId":"o","total":1e309}`,
    `{"type":"order.placed","data":null}`,
    "[".repeat(5000),
    Uint8Array.of(0xff, 0xfe),
  ];
  const headers = [
    NO_HEADERS,
    { "event-type": "order.placed" },
    { "event-type": "__proto__", "event-id": "x" },
    { ce_specversion: "1.0", ce_kind: "x" },
  ];
  for (let round = 0; round < 3000; round++) {
    const envelope =
      random.next() < 0.5
        ? undefined
        : {
            ...placed,
            type: pick(["order.placed", "order.place", "__proto__"]),
            kind: pick(["event", "command", "reply"] as const),
            contractversion: pick([1, 2, -1, Number.NaN]),
          };
    const decode = pick([stage(), foreign]);
    expect(["ready", "notSubscribed", "expired", "unhandled", "unreadable"]).toContain(
      decode({ envelope, headers: pick(headers), body: pick(bodies) }).kind,
    );
  }
  expect(Object.keys(Object.prototype)).toEqual([]);
});
