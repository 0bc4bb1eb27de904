import { expect, test } from "vitest";
import { laneOf } from "../../base/ids.ts";
import { NO_HEADERS } from "../../envelope/envelope.ts";
import type { Envelope, Outgoing } from "../../envelope/envelope.ts";
import type { Destination } from "../../ports/transport.ts";
import { publishOf } from "./routing.ts";
import type { ExistingPlace, Places } from "./routing.ts";

const ENVELOPE: Envelope = { id: "m", source: "/s", type: "order.placed", kind: "event", contractversion: 1, time: "2026-01-01T00:00:00Z" };

const LANE = String(laneOf("k", 4));

function places(existing: readonly (readonly [string, ExistingPlace])[] = []): Places {
  const of = (name: string, kind: Destination["kind"]): [string, Destination] => [name, { name, kind, lanes: 4, isExternal: false }];
  return { destinations: new Map([of("order.events", "events"), of("order.commands", "commands")]), existing: new Map(existing) };
}

function to(destination: string, envelope: Partial<Envelope> = {}): Outgoing {
  return { destination, envelope: { ...ENVELOPE, ...envelope }, headers: NO_HEADERS, body: "{}", mayRepeat: false };
}

test.for([
  ["an event by its name and its lane", to("order.events", { partitionkey: "k" }), "order.events", `order.placed.${LANE}`, false],
  ["an urgent event", to("order.events", { partitionkey: "k", priority: "high" }), "order.events", `order.placed.${LANE}.high`, false],
  ["a command by its lane, and some queue must want it", to("order.commands", { partitionkey: "k" }), "order.commands", LANE, true],
  ["an urgent command", to("order.commands", { partitionkey: "k", priority: "high" }), "order.commands", `${LANE}.high`, true],
  ["an answer straight to its queue", to("rabbitmq-reply:postrider.replies.7"), "", "postrider.replies.7", false],
] as const)("%s", ([, message, exchange, routingKey, mandatory]) => {
  expect(publishOf(message, places(), 100)).toMatchObject({ exchange, routingKey, options: { mandatory } });
});

test("urgency is the message's own priority in queues of somebody else's, which have no second queue for it", () => {
  const theirs = places([["order.events", { queue: "theirs" }]]);
  const priorityOf = (priority: "high" | undefined): unknown => {
    const publish = publishOf(to("order.events", priority && { priority }), theirs, 100);
    return publish instanceof Error ? publish : publish.options.priority;
  };
  expect([priorityOf("high"), priorityOf(undefined)]).toEqual([5, undefined]);
});

test.for(["nowhere.events", "constructor", "rabbitmq-reply:order.commands.1"])(
  "nothing is sent to what is no destination: %s",
  (destination) => {
    expect(publishOf(to(destination), places(), 100)).toMatchObject({ code: "PR_DESTINATION_UNKNOWN" });
  },
);

test.for([
  [{ queue: "theirs" }, "", "theirs"],
  [{ exchange: "theirs" }, "theirs", "order.placed"],
  [{ exchange: "theirs", queue: "ours", routingKey: "key" }, "theirs", "key"],
] as const)("to what is somebody else's: %o", ([place, exchange, routingKey]) => {
  const publish = publishOf(to("order.events"), places([["order.events", place]]), 100);
  expect(publish).toMatchObject({ exchange, routingKey, options: { mandatory: true } });
});
