import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { expect, test } from "vitest";
import { PgConnections } from "./connection.ts";

const AUTHENTICATED = packet("R", Buffer.from([0, 0, 0, 0]));
const READY = packet("Z", Buffer.from("I"));
const GOODBYE = packet("E", Buffer.from("SFATAL\0VFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0"));

// An error of a connection to which nobody listens ends the process: the run would fail of it.
test("a server that ends in the packet that lets a connection in takes no process with it", async () => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    socket.once("data", () => socket.end(Buffer.concat([AUTHENTICATED, READY, GOODBYE])));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `postgres://someone@127.0.0.1:${(server.address() as AddressInfo).port}/none`;
  const idle: Error[] = [];
  const connections = new PgConnections({ url }, {}, (error) => void idle.push(error));
  const outcome = connections.lend((client) => client.query({ text: "select 1" }));
  await expect(outcome).rejects.toThrow(/terminat|not queryable|connection error/i);
  await connections.close();
  for (const socket of sockets) socket.destroy();
  server.close();
});

function packet(type: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + length.length);
  return Buffer.concat([Buffer.from(type), length, body]);
}
