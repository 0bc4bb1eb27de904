import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { program } from "./programs.ts";
import { runToEnd } from "./run-to-end.ts";
import type { SecureAccess } from "./secure-access.ts";

/** A private authority, and what it has signed: a server for 127.0.0.1 and localhost, and a client by the name of its user. */
export interface Certificates {
  readonly ca: string;
  readonly serverKey: string;
  readonly serverCertificate: string;
  readonly clientKey: string;
  readonly clientCertificate: string;
}

/** What makes them. */
export function openssl(): string | undefined {
  return program("openssl");
}

/** Makes them as PEM files in a folder of its own, valid for a day, keys as PKCS8; answers the paths. */
export async function makeCertificates(folder: string, clientName: string): Promise<Certificates> {
  const place = join(folder, "certificates");
  mkdirSync(place);
  const path = (name: string): string => join(place, name);
  const config = path("openssl.cnf");
  writeFileSync(config, "[req]\ndistinguished_name=dn\n[dn]\n"); // the machine's own would add extensions that we have not asked for
  const make = async (name: string, subject: string, more: readonly string[]): Promise<void> => {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path(`${name}.key`)];
    const args = ["req", "-x509", "-config", config, ...key, "-out", path(`${name}.pem`), "-days", "1", "-subj", `/CN=${subject}`, ...more];
    await runToEnd({ file: openssl()!, args, cwd: place });
  };
  const signed = ["-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-addext", "basicConstraints=critical,CA:FALSE"];
  await make("ca", "Postrider tests", ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]);
  await make("server", "localhost", [
    ...signed,
    "-addext",
    "subjectAltName=IP:127.0.0.1,DNS:localhost",
    "-addext",
    "extendedKeyUsage=serverAuth",
  ]);
  await make("client", clientName, [...signed, "-addext", "extendedKeyUsage=clientAuth"]);
  return {
    ca: path("ca.pem"),
    serverKey: path("server.key"),
    serverCertificate: path("server.pem"),
    clientKey: path("client.key"),
    clientCertificate: path("client.pem"),
  };
}

export const SECURE_USER = "secure";
export const SECURE_PASSWORD = "correct-horse";
/** The common name in the client's certificate. */
export const CERTIFIED_USER = "certified";

/** What a server's recipe tells of its URLs, with all that goes with them. */
export function secureAccess(
  { ca, clientKey, clientCertificate }: Certificates,
  urls: Pick<SecureAccess, "url" | "certifiedUrl" | "withoutTlsUrl">,
): SecureAccess {
  const read = (path: string): string => readFileSync(path, "utf8");
  return {
    ...urls,
    user: SECURE_USER,
    password: SECURE_PASSWORD,
    ca: read(ca),
    clientKey: read(clientKey),
    clientCertificate: read(clientCertificate),
  };
}
