import { expect, test } from "vitest";
import { OutageMode } from "./outage.ts";

const mode = (after = 3): OutageMode => new OutageMode({ after, probeMs: 1000, maxProbeMs: 4000 });

test("failures of one cause in a row are an outage", () => {
  const outage = mode();
  expect(["E", "E", "E"].map((cause) => outage.failed(cause, false))).toEqual(["none", "none", "began"]);
  expect(outage.isOut).toBe(true);
});

test("a success between, or another cause, starts the count again", () => {
  const outage = mode();
  outage.failed("E", false);
  outage.failed("E", false);
  outage.succeeded();
  expect(outage.failed("E", false)).toBe("none");
  outage.failed("E", false);
  expect(outage.failed("F", false)).toBe("none");
});

test("each failed probe doubles the wait up to its limit, and a success ends the outage", () => {
  const outage = mode(1);
  outage.failed("E", false);
  const waits = [outage.probeAfterMs];
  for (let probe = 0; probe < 4; probe++) {
    outage.failed("E", true);
    waits.push(outage.probeAfterMs);
  }
  expect(waits).toEqual([1000, 2000, 4000, 4000, 4000]);
  expect(outage.succeeded()).toBe("over");
  expect([outage.isOut, outage.probeAfterMs]).toEqual([false, 1000]);
});

test("a late failure of a run that was begun before does not lengthen the wait", () => {
  const outage = mode(1);
  outage.failed("E", false);
  expect(outage.failed("E", false)).toBe("continues");
  expect(outage.probeAfterMs).toBe(1000);
});

test("with 0 there is no outage mode", () => {
  const outage = mode(0);
  for (let n = 0; n < 100; n++) expect(outage.failed("E", false)).toBe("none");
});
