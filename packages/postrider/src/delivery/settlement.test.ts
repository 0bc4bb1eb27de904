import { expect, test } from "vitest";
import type { Delivery } from "../ports/transport.ts";
import { Settlement } from "./settlement.ts";
import type { SettlementOptions } from "./settlement.ts";

test("what a transport settles together is heard once when it fails, what it settles next again", async () => {
  const lines: string[] = [];
  const runtime = { service: "reader", logger: { warn: (_: object, text: string) => lines.push(text) } };
  const settlement = new Settlement({ runtime } as unknown as SettlementOptions);
  for (const together of [1, 2].map(() => Promise.reject(new Error("the disk is gone")))) {
    for (let message = 0; message < 3; message++) settlement.settleQuietly({ ack: () => together } as unknown as Delivery);
    await together.catch(() => undefined);
  }
  expect(lines).toEqual(Array.from({ length: 2 }, () => expect.stringContaining("will come again") as string));
});
