import { expect, test } from "vitest";
import { z } from "zod";
import { isPromise } from "../base/deferred.ts";
import type { MaybePromise } from "../base/deferred.ts";
import { countedIds } from "../base/ids.ts";
import { VirtualClock } from "../base/virtual-clock.ts";
import { command, event } from "../contracts/contract.ts";
import { contractIndex } from "../contracts/registry.ts";
import { NO_HEADERS } from "../envelope/envelope.ts";
import type { Envelope, FoundMessage } from "../envelope/envelope.ts";
import { newIdentity } from "../envelope/identity.ts";
import { draft } from "../envelope/outgoing.ts";
import { decoder } from "./decode.ts";
import type { Decoded, DecoderOptions, ReadyMessage } from "./decode.ts";
import { service } from "./service.ts";
import type { On } from "./service.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const schema = z.object({ orderId: z.string(), total: z.number() });
const Place = command("order.place", { schema });
const Placed = event("order.placed", { schema, key: (order) => order.orderId });
const Shipped = event("order.shipped", { schema: z.object({}) });
const MemberV1 = event("member.updated", { schema: z.object({ n: z.string() }) });
const MemberV2 = event("member.updated", {
  version: 2,
  schema: z.object({ name: z.string() }),
  alsoAs: { 1: ({ name }) => ({ n: name }) },
});
const MemberV2Reads1 = event("member.updated", {
  version: 2,
  schema: z.object({ name: z.string() }),
  upcast: { 1: (body) => ({ name: (body as { n: string }).n }) },
});
const contracts = contractIndex([Place, Placed, Shipped, MemberV1, MemberV2]);
const order = { orderId: "o-1", total: 5 };
const handle = (): undefined => undefined;

const placed: Envelope = {
  id: "m-1",
  source: "/ordering",
  type: "order.placed",
  kind: "event",
  contractversion: 1,
  time: "2026-01-01T00:00:00.000Z",
  partitionkey: "o-1",
};

function stage(
  define: (on: On) => void,
  more: Partial<DecoderOptions> = {},
): (found: Partial<FoundMessage> & { readonly position?: number; readonly id?: string }) => Decoded {
  const decode = decoder({
    service: service("mailing", define),
    destination: { name: "order.events" },
    contracts,
    clock: new VirtualClock(NOW_MS),
    ...more,
  });
  return (found) =>
    now(decode({ envelope: undefined, headers: NO_HEADERS, body: JSON.stringify(order), lane: { number: 3 }, position: 7, ...found }));
}

function now(decoded: MaybePromise<Decoded>): Decoded {
  if (isPromise(decoded)) throw new Error("a synchronous schema must be decoded at once");
  return decoded;
}

function ready(decoded: Decoded): ReadyMessage {
  if (decoded.kind !== "ready") throw new Error(`not ready: ${JSON.stringify(decoded)}`);
  return decoded;
}

const onPlaced = stage((on) => on(Placed, handle));

test("a message of a handled contract is ready, with body, key and the id that the inbox goes by", () => {
  const decoded = ready(onPlaced({ envelope: placed }));
  expect(decoded).toMatchObject({ handlerIndex: 0, envelope: placed, body: order, key: "o-1", inboxId: "m-1", isAdapted: false });
  expect(decoded.definition.contract).toBe(Placed);
  expect(ready(onPlaced({ envelope: placed, body: Buffer.from(JSON.stringify(order)) })).body).toEqual(order);
});

test("where the sender knew no key, the contract makes it from the body", () => {
  const { partitionkey: _key, ...keyless } = placed;
  expect(ready(onPlaced({ envelope: keyless })).key).toBe("o-1");
});

test("an event that this service does not handle is skipped, whatever its body", () => {
  expect(onPlaced({ envelope: { ...placed, type: "order.shipped" }, body: "{" }).kind).toBe("notSubscribed");
});

test.each([
  ["a command without handler here", { type: "order.place", kind: "command" }],
  ["a contract that nobody in the app knows", { type: "order.unheard" }],
  ["a name that objects have by nature", { type: "constructor" }],
  ["a path for a name", { type: "../../x" }],
  ["a reply", { kind: "reply" }],
  ["an event by the name of a command", { type: "order.place", kind: "event" }],
  ["a command by the name of an event", { type: "order.shipped", kind: "command" }],
] as const)("%s is unhandled", (_name, change) => {
  expect(onPlaced({ envelope: { ...placed, ...change } }).kind).toBe("unhandled");
});

test("a command that says that it is an event is nobody's to handle", () => {
  const decoded = stage((on) => on(Place, handle))({ envelope: { ...placed, type: "order.place", kind: "event" } });
  expect(decoded).toMatchObject({ kind: "unreadable", error: { code: "PR_ENVELOPE_UNREADABLE" } });
});

test("an expired message is told apart before its version and body are looked at", () => {
  const expired = { ...placed, expirytime: "2026-01-01T00:00:00.000Z" };
  expect(onPlaced({ envelope: expired, body: "{" }).kind).toBe("expired");
  expect(onPlaced({ envelope: { ...expired, contractversion: 9 } }).kind).toBe("expired");
  expect(onPlaced({ envelope: { ...expired, type: "order.shipped" } }).kind).toBe("notSubscribed");
  expect(onPlaced({ envelope: { ...placed, expirytime: "2026-01-01T00:00:00.001Z" } }).kind).toBe("ready");
});

test.each([
  ["a body that is no JSON", {}, "{", "PR_BODY_UNREADABLE"],
  ["a body of another type", { datacontenttype: "application/avro" }, "{}", "PR_BODY_UNREADABLE"],
  ["a compressed body", { contentencoding: "zstd" }, "{}", "PR_BODY_UNREADABLE"],
  ["an encrypted body", { keyid: "k" }, "{}", "PR_BODY_UNREADABLE"],
  ["a body that is elsewhere", { dataref: "https://x" }, "{}", "PR_BODY_UNREADABLE"],
  ["a hostile depth", {}, "[".repeat(100_000), "PR_BODY_UNREADABLE"],
  ["a body that the schema refuses", {}, "{}", "PR_BODY_INVALID"],
  ["an unknown version", { contractversion: 2 }, "{}", "PR_VERSION_UNKNOWN"],
])("%s is unreadable for good, and its envelope is kept", (_name, change, body, code) => {
  expect(onPlaced({ envelope: { ...placed, ...change }, body })).toMatchObject({
    kind: "unreadable",
    error: { code },
    envelope: { id: "m-1" },
  });
});

test("a message without envelope says why, as far as its headers tell", () => {
  expect(onPlaced({})).toMatchObject({
    kind: "unreadable",
    envelope: undefined,
    error: { code: "PR_ENVELOPE_UNREADABLE", details: { detail: "it has no attributes of one" } },
  });
  const headers = { ce_specversion: "1.0", ce_kind: "event", ce_id: "1" };
  expect(onPlaced({ headers })).toMatchObject({ error: { details: { detail: "source, type, contractversion, time missing" } } });
});

test("a `where` judges the JSON as it was sent, upcast to the handler's version, before the schema", () => {
  const vip = stage((on) => on(Placed, handle, { where: { total: { gte: 1_000_000 } } }));
  expect(vip({ envelope: placed }).kind).toBe("notSubscribed");
  expect(vip({ envelope: placed, body: `{"total":"many"}` }).kind).toBe("notSubscribed");
  expect(vip({ envelope: placed, body: `{"orderId":"o","total":1000000}` }).kind).toBe("ready");
  const expired = { ...placed, expirytime: placed.time };
  expect(vip({ envelope: expired }).kind).toBe("notSubscribed");
  expect(vip({ envelope: expired, body: `{"total":1000000}` }).kind).toBe("expired");
  expect(vip({ envelope: expired, body: "{" }).kind).toBe("expired");
  const kims = stage((on) => on(MemberV2Reads1, handle, { where: { name: "Kim" } }));
  expect(kims({ envelope: { ...placed, type: "member.updated" }, body: `{"n":"Kim"}` }).kind).toBe("ready");
  expect(kims({ envelope: { ...placed, type: "member.updated" }, body: `{"n":"Lee"}` }).kind).toBe("notSubscribed");
});

test("a service with a wrong `where` is refused when it is defined", () => {
  expect(() => service("mailing", (on) => on(Placed, handle, { where: { total: { over: 5 } as never } }))).toThrow(
    /mailing, order.placed: total has an unknown test "over"/,
  );
});

const member: Envelope = { ...placed, type: "member.updated" };

test("a version's own handler goes before one that upcasts, and one that upcasts before none", () => {
  const both = stage((on) => (on(MemberV2Reads1, handle), on(MemberV1, handle)));
  expect(ready(both({ envelope: member, body: `{"n":"Kim"}` }))).toMatchObject({ handlerIndex: 1, body: { n: "Kim" } });
  const newest = stage((on) => on(MemberV2Reads1, handle));
  expect(ready(newest({ envelope: member, body: `{"n":"Kim"}` })).body).toEqual({ name: "Kim" });
});

const published = draft(
  MemberV2,
  { name: "Kim" },
  { service: "member", nowMs: NOW_MS, identify: newIdentity(countedIds(new VirtualClock())), maxBodyBytes: 1000 },
).messages as readonly FoundMessage[];

test.each([
  ["only v1", (on: On) => on(MemberV1, handle), ["notSubscribed", "ready"]],
  ["only v2", (on: On) => on(MemberV2, handle), ["ready", "notSubscribed"]],
  ["v2 and an upcast from v1", (on: On) => on(MemberV2Reads1, handle), ["ready", "ready"]],
  ["both", (on: On) => (on(MemberV1, handle), on(MemberV2, handle)), ["ready", "ready"]],
])("of a message published in two versions, a service that knows %s runs one", (_name, define, kinds) => {
  const decoded = published.map(stage(define));
  expect(decoded.map((one) => one.kind)).toEqual(kinds);
  // Where both are ready the inbox lets one through: they share its id, and it must not compare their bodies.
  const runs = decoded.filter((one) => one.kind === "ready");
  expect(new Set(runs.map((one) => one.inboxId)).size).toBe(1);
  expect(runs.every((one) => one.isAdapted)).toBe(true);
});

test("a copy in a version that nobody knows is an unknown version when no other is known either", () => {
  const decode = stage((on) => on(MemberV2, handle));
  expect(decode({ envelope: { ...member, contractversion: 3, adaptedto: "4 5" } })).toMatchObject({
    kind: "unreadable",
    error: { code: "PR_VERSION_UNKNOWN", details: { known: "v2" } },
  });
  expect(decode({ envelope: { ...member, contractversion: 3, adaptedto: "4 2" } }).kind).toBe("notSubscribed");
});

test("an asynchronous schema makes the message ready later", async () => {
  const Checked = event("order.checked", { schema: z.object({ id: z.string().refine((id) => Promise.resolve(id === "yes")) }) });
  const decode = decoder({
    service: service("mailing", (on) => on(Checked, handle)),
    destination: { name: "order.events" },
    contracts,
    clock: new VirtualClock(),
  });
  const found = { envelope: { ...placed, type: "order.checked" }, headers: NO_HEADERS, lane: { number: 0 }, position: 1 };
  expect(await decode({ ...found, body: `{"id":"yes"}` })).toMatchObject({ kind: "ready" });
  expect(await decode({ ...found, body: `{"id":"no"}` })).toMatchObject({ kind: "unreadable", error: { code: "PR_BODY_INVALID" } });
});
