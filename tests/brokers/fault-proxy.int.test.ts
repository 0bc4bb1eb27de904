import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { type FaultProxy, faultProxy } from "./fault-proxy.ts";

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one[Symbol.asyncDispose]();
});

/** A server that sends everything back, and what it got. */
async function echo(): Promise<{ readonly port: number; readonly received: () => string; readonly errors: Error[] }> {
  let received = "";
  const errors: Error[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", (error) => errors.push(error));
    socket.on("data", (bytes) => {
      received += bytes.toString();
      socket.write(bytes);
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  opened.push({
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await once(server.close(), "close");
    },
  });
  return { port: (server.address() as { port: number }).port, received: () => received, errors };
}

async function through(port: number): Promise<{ readonly proxy: FaultProxy; readonly client: Socket }> {
  const proxy = await faultProxy({ port });
  opened.push(proxy);
  const client = connect(proxy.port, "127.0.0.1");
  client.setEncoding("utf8");
  await once(client, "connect");
  opened.push({ [Symbol.asyncDispose]: async () => void client.destroy() });
  return { proxy, client };
}

test("without faults every byte passes, both ways and to the end", async () => {
  const server = await echo();
  const { client } = await through(server.port);
  const sent = "0123456789".repeat(500_000);
  let heard = "";
  client.on("data", (text: string) => (heard += text));
  client.end(sent);
  await once(client, "close");
  expect(heard.length).toBe(sent.length);
  expect(server.received()).toBe(sent);
});

test("latency delays each way, and keeps the order", async () => {
  const server = await echo();
  const { proxy, client } = await through(server.port);
  proxy.latency(60);
  const startedMs = performance.now();
  let heard = "";
  client.on("data", (text: string) => (heard += text));
  for (const word of ["one ", "two ", "three"]) client.write(word);
  await expect.poll(() => heard).toBe("one two three");
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(120);
});

test("a black hole keeps everything, and lets it go when it is over", async () => {
  const server = await echo();
  const { proxy, client } = await through(server.port);
  proxy.blackHole(true);
  const late = connect(proxy.port, "127.0.0.1");
  opened.push({ [Symbol.asyncDispose]: async () => void late.destroy() });
  await once(late, "connect"); // accepted, as by a network that drops what follows
  client.write("held");
  late.write("late");
  // The client's bytes are with the proxy once a second proxy of the same process has passed some.
  const { client: other } = await through((await echo()).port);
  other.write("passed");
  await once(other, "data");
  expect(server.received()).toBe("");
  proxy.blackHole(false);
  await once(client, "data");
  await expect.poll(() => server.received().length).toBe("heldlate".length);
});

test("reset breaks the connections of now on both sides, and new ones work", async () => {
  const server = await echo();
  const { proxy, client } = await through(server.port);
  client.write("hello");
  await once(client, "data");
  proxy.reset();
  const [error] = (await once(client, "error")) as [NodeJS.ErrnoException];
  expect(error.code).toBe("ECONNRESET");
  await expect.poll(() => server.errors.length).toBe(1);
  const again = connect(proxy.port, "127.0.0.1");
  again.write("hello");
  await once(again, "data");
  again.destroy();
});

test("resetAfter lets exactly that many bytes through, in mid-frame, once", async () => {
  const server = await echo();
  const { proxy, client } = await through(server.port);
  proxy.resetAfter(7);
  client.write("hello");
  await once(client, "data");
  client.write("world");
  const [error] = (await once(client, "error")) as [NodeJS.ErrnoException];
  expect(error.code).toBe("ECONNRESET");
  await expect.poll(() => server.errors.length).toBe(1);
  expect(server.received()).toBe("hellowo");
  const again = connect(proxy.port, "127.0.0.1");
  again.write("a whole frame");
  await once(again, "data");
  again.destroy();
});

test("resetAfter can count the bytes of the answers", async () => {
  const server = await echo();
  const { proxy, client } = await through(server.port);
  proxy.resetAfter(3, "toClient");
  let heard = "";
  client.on("data", (text: string) => (heard += text));
  client.write("hello");
  await once(client, "error");
  expect(heard).toBe("hel");
  expect(server.received()).toBe("hello");
});

test("a server that is not there breaks the client's connection", async () => {
  const server = await echo();
  await opened.pop()![Symbol.asyncDispose]();
  const proxy = await faultProxy({ port: server.port });
  opened.push(proxy);
  const client = connect(proxy.port, "127.0.0.1");
  const [error] = (await once(client, "error")) as [NodeJS.ErrnoException];
  expect(error.code).toBe("ECONNRESET");
});
