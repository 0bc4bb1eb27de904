import { expect, test } from "vitest";
import { NO_HEADERS } from "../envelope/envelope.ts";
import type { Recurrence, ScheduledMessage } from "../ports/schedule.ts";
import { nextSlotAt, takeSlot } from "./recurrence.ts";

const at = (text: string): number => Date.parse(text);
const slotsOf = (recurrence: Recurrence, after: string, count: number): readonly string[] => {
  const slots: string[] = [];
  for (let last = at(after); slots.length < count;) slots.push(new Date((last = nextSlotAt(recurrence, last))).toISOString());
  return slots;
};

test.each([
  ["a day in Seoul", "0 9 * * *", "Asia/Seoul", "2026-01-01T00:00:00.000Z", ["2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z"]],
  [
    "seconds, where the pattern has six fields",
    "*/20 * * * * *",
    "UTC",
    "2026-01-01T00:00:05.500Z",
    ["2026-01-01T00:00:20.000Z", "2026-01-01T00:00:40.000Z"],
  ],
  [
    "an hour that summer time skips, made up for behind the gap",
    "30 2 * * *",
    "Europe/Berlin",
    "2026-03-28T02:00:00.000Z",
    ["2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z"],
  ],
  [
    "an hour that comes twice, the first time",
    "30 2 * * *",
    "Europe/Berlin",
    "2026-10-24T02:00:00.000Z",
    ["2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"],
  ],
  [
    "half hours, through the hour that comes twice",
    "*/30 * * * *",
    "Europe/Berlin",
    "2026-10-25T00:10:00.000Z",
    ["2026-10-25T00:30:00.000Z", "2026-10-25T01:00:00.000Z", "2026-10-25T01:30:00.000Z", "2026-10-25T02:00:00.000Z"],
  ],
  ["a month's last day", "0 0 L * *", "UTC", "2026-01-15T00:00:00.000Z", ["2026-01-31T00:00:00.000Z", "2026-02-28T00:00:00.000Z"]],
] as const)("slots: %s", (_, cron, timezone, after, slots) => {
  expect(slotsOf({ cron, timezone }, after, slots.length)).toEqual(slots);
});

test.each([
  ["no pattern", "at nine", "UTC", /"at nine" is no cron pattern/],
  ["a value out of range", "61 * * * *", "UTC", /"61 \* \* \* \*" is no cron pattern/],
  ["no zone", "0 9 * * *", "Mars/Olympus", /"Mars\/Olympus" is no IANA time zone/],
  ["an empty zone, which would be the machine's own", "0 9 * * *", "", /"" is no IANA time zone/],
  ["both wrong, both told", "x", "y", /no cron pattern.*no IANA time zone/],
  ["a day that never comes", "0 0 30 2 *", "UTC", /never comes/],
])("refused: %s", (_, cron, timezone, message) => {
  expect(() => nextSlotAt({ cron, timezone }, 0)).toThrow(
    expect.objectContaining({ code: "PR_CONFIG_INVALID", message: expect.stringMatching(message) }),
  );
});

const entry = (dueAt: string, change: Partial<ScheduledMessage> = {}): ScheduledMessage => ({
  id: "nightly",
  dueAt: at(dueAt),
  recurrence: { cron: "0 3 * * *", timezone: "UTC" },
  message: {
    envelope: {
      id: "template",
      source: "/billing",
      type: "report.make",
      kind: "command",
      contractversion: 1,
      time: "2026-01-01T00:00:00.000Z",
      expirytime: "2026-01-01T01:00:00.000Z",
      correlationid: "template",
      conversationid: "thread-7",
      traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    },
    headers: NO_HEADERS,
    body: "{}",
    destination: "report.commands",
    mayRepeat: false,
  },
  ...change,
});

test("of the slots missed while nothing ran only the latest is sent, and the next one is in the future", () => {
  const now = at("2026-01-09T12:00:00.000Z");
  const late = takeSlot("billing", entry("2026-01-02T03:00:00.000Z"), now);
  expect(new Date(late.next!.dueAt).toISOString()).toBe("2026-01-10T03:00:00.000Z");
  const onTime = takeSlot("billing", entry("2026-01-09T03:00:00.000Z"), now);
  expect(late.message.envelope.id).toBe(onTime.message.envelope.id);
});

test("a slot has one id whoever sends it and when; another slot, schedule or service has another", () => {
  const idOf = (service: string, dueAt: string, now: string, id = "nightly"): string =>
    takeSlot(service, entry(dueAt, { id }), at(now)).message.envelope.id;
  const first = idOf("billing", "2026-01-02T03:00:00.000Z", "2026-01-02T03:00:00.000Z");
  expect(idOf("billing", "2026-01-02T03:00:00.000Z", "2026-01-02T03:00:07.000Z")).toBe(first);
  expect(
    new Set([
      first,
      idOf("billing", "2026-01-03T03:00:00.000Z", "2026-01-03T03:00:00.000Z"),
      idOf("mailing", "2026-01-02T03:00:00.000Z", "2026-01-02T03:00:00.000Z"),
      idOf("billing", "2026-01-02T03:00:00.000Z", "2026-01-02T03:00:00.000Z", "weekly"),
    ]).size,
  ).toBe(4);
});

test("a slot's message is of its own time: sent and expiring from then, its own thread where the template was its own, its own trace", () => {
  const { message } = takeSlot("billing", entry("2026-01-02T03:00:00.000Z"), at("2026-01-02T03:00:01.000Z"));
  const { id } = message.envelope;
  expect(message.envelope).toEqual({
    id,
    source: "/billing",
    type: "report.make",
    kind: "command",
    contractversion: 1,
    time: "2026-01-02T03:00:01.000Z",
    expirytime: "2026-01-02T04:00:01.000Z",
    correlationid: id,
    conversationid: "thread-7",
  });
});

test("what is sent once goes as it is, and a recurrence without a next slot ends", () => {
  const { recurrence: _, ...single } = entry("2026-01-02T03:00:00.000Z");
  expect(takeSlot("billing", single, single.dueAt)).toEqual({ message: single.message, next: undefined });
  const last = entry("2027-01-01T00:00:00.000Z", { recurrence: { cron: "0 0 0 1 1 * 2027", timezone: "UTC" } });
  expect(takeSlot("billing", last, last.dueAt).next).toBeUndefined();
});
