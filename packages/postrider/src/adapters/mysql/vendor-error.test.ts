import { expect, test } from "vitest";
import { isServerAway, wrapStoreError } from "./vendor-error.ts";

const STORE = "mysql (billing)";

const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED", errno: -111 });
const shutdown = Object.assign(new Error("Server shutdown in progress"), { code: "ER_SERVER_SHUTDOWN", errno: 1053, sqlState: "08S01" });
const duplicate = Object.assign(new Error("Duplicate entry"), { code: "ER_DUP_ENTRY", errno: 1062, sqlState: "23000" });

test.each([
  ["nobody listens", refused],
  ["it is being stopped", shutdown],
  ["the connection was closed before", new Error("Can't add new command when connection is in closed state")],
])("a store's server is away: %s", (_, cause) => {
  expect(isServerAway(wrapStoreError(cause, STORE, "a test"), STORE)).toBe(true);
});

test.each([
  ["a row is there already", wrapStoreError(duplicate, STORE, "a test")],
  ["another store's server is", wrapStoreError(refused, "mysql (mailing)", "a test")],
  ["somebody else's server is", refused],
])("a store's server is not away: %s", (_, error) => {
  expect(isServerAway(error, STORE)).toBe(false);
});
