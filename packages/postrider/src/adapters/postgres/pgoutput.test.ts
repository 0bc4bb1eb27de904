import { expect, test } from "vitest";
import { PgOutputDecoder } from "./pgoutput.ts";

const int = (bytes: number, value: number | bigint): Buffer => {
  const buffer = Buffer.alloc(bytes);
  if (bytes === 8) buffer.writeBigInt64BE(BigInt(value));
  else buffer.writeIntBE(Number(value), 0, bytes);
  return buffer;
};
const text = (value: string): Buffer => Buffer.from(`${value}\0`);
const column = (kind: string, bytes: Buffer): Buffer => Buffer.concat([Buffer.from(kind), int(4, bytes.length), bytes]);

const RELATION = Buffer.concat([
  Buffer.from("R"),
  int(4, 77),
  text("app"),
  text("pr_outbox"),
  Buffer.from("d"),
  int(2, 4),
  ...["id", "payload", "headers", "kept"].flatMap((name) => [int(1, 0), text(name), int(4, 25), int(4, -1)]),
]);
const INSERT = Buffer.concat([
  Buffer.from("I"),
  int(4, 77),
  Buffer.from("N"),
  int(2, 4),
  column("t", Buffer.from("주문 1")),
  column("b", Buffer.of(0, 255)),
  Buffer.from("n"),
  Buffer.from("u"),
]);

test("a row is read by the columns that its table was told with: text, bytes, null, unchanged", () => {
  const decoder = new PgOutputDecoder();
  expect(decoder.decode(RELATION)).toEqual({ is: "other" });
  const message = decoder.decode(INSERT);
  if (message.is !== "insert") throw new Error(message.is);
  const { row } = message;
  expect([row.schema, row.table, row.text("id"), row.bytes("payload"), row.text("headers"), row.text("kept"), row.text("none")]).toEqual([
    "app",
    "pr_outbox",
    "주문 1",
    Buffer.of(0, 255),
    null,
    null,
    null,
  ]);
});

test.each([
  ["as bytes", [int(8, 7n), int(1, 1), Buffer.from("ä")], "b"],
  ["as texts", [Buffer.from("7"), Buffer.from("t"), Buffer.from("\\xc3a4")], "t"],
])("numbers, truths and bytes that the server sends %s are the same", (_, values, kind) => {
  const decoder = new PgOutputDecoder();
  decoder.decode(RELATION);
  const message = decoder.decode(Buffer.concat([INSERT.subarray(0, 6), int(2, 3), ...values.map((value) => column(kind, value))]));
  if (message.is !== "insert") throw new Error(message.is);
  const { row } = message;
  expect([row.whole("id"), row.truth("payload"), row.textOfBytes("headers"), [...row.bytes("headers")]]).toEqual([
    7,
    true,
    "ä",
    [0xc3, 0xa4],
  ]);
});

test("a begin tells its transaction, a commit where it ends; what else comes is passed over", () => {
  const decoder = new PgOutputDecoder();
  expect(decoder.decode(Buffer.concat([Buffer.from("B"), int(8, 5), int(8, 0), int(4, -2)]))).toEqual({ is: "begin", xid: 4294967294 });
  expect(decoder.decode(Buffer.concat([Buffer.from("C"), int(1, 0), int(8, 5), int(8, 9), int(8, 0)]))).toEqual({ is: "commit", end: 9n });
  for (const kind of "TOYM") expect(decoder.decode(Buffer.from(kind))).toEqual({ is: "other" });
  expect(decoder.decode(INSERT)).toEqual({ is: "other" }); // of a table that was never told
});

test.each([1, 5, 9, 14, 20, INSERT.length - 4])("a message that is cut short at %i bytes is refused", (length) => {
  const decoder = new PgOutputDecoder();
  decoder.decode(RELATION);
  expect(() => decoder.decode(INSERT.subarray(0, length))).toThrow(RangeError);
});
