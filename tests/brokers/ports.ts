import { randomInt } from "node:crypto";
import { createServer } from "node:net";

// Below the ports that systems hand out to clients (Linux from 32768, macOS from 49152): a client that knocks at a stopped server's port could else be
// given that very port for its own end, talk to itself, and keep the server from coming back.
const LOWEST = 20_000;
const BEYOND = 32_768;

// One after the other from a place of this process's own: it never hands out a port twice in a row, and two processes hardly meet.
let next = randomInt(LOWEST, BEYOND);

/** Free ports on loopback, all different. Nothing holds them until the server listens. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const found: number[] = [];
  for (let tried = LOWEST; found.length < count; tried++) {
    if (tried === BEYOND) throw new Error(`no ${count} free ports between ${LOWEST} and ${BEYOND}`);
    const port = next;
    next = port + 1 === BEYOND ? LOWEST : port + 1;
    if (await isFree(port)) found.push(port);
  }
  return found;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
