import { expect, test } from "vitest";
import { fail } from "../../base/errors.ts";
import { isServerAway, wrapStoreError } from "./vendor-error.ts";

const STORE = "postgres (billing)";

const coded = (code: string, text = "of the vendor"): Error => Object.assign(new Error(text), { code });

test.each([
  ["it ended by itself", coded("57P02")],
  ["it is being stopped", coded("57P01")],
  ["it starts, or recovers", coded("57P03")],
  ["it has no connection left", coded("53300")],
  ["nobody listens", coded("ECONNREFUSED")],
  ["nobody listens at any address", Object.assign(new AggregateError([new Error("refused")]), { code: "ECONNREFUSED" })],
  ["the connection ended", new Error("Connection terminated unexpectedly")],
  ["it did not answer", new Error("Query read timeout")],
])("a store's server is away: %s", (_, cause) => {
  expect(isServerAway(wrapStoreError(cause, STORE, "a test"), STORE)).toBe(true);
});

test.each([
  ["a row is there already", wrapStoreError(coded("23505"), STORE, "a test")],
  ["a statement took too long", wrapStoreError(coded("57014"), STORE, "a test")],
  ["all connections of the pool are in use", wrapStoreError(new Error("timeout exceeded when trying to connect"), STORE, "a test")],
  ["another store's server is", wrapStoreError(coded("57P01"), "postgres (mailing)", "a test")],
  ["somebody else's server is", coded("ECONNREFUSED")],
  ["the transport's is", fail("PR_TRANSPORT_FAILED", {}, { cause: coded("ECONNREFUSED") })],
])("a store's server is not away: %s", (_, error) => {
  expect(isServerAway(error, STORE)).toBe(false);
});
