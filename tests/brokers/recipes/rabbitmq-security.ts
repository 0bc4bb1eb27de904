import { CERTIFIED_USER, makeCertificates, SECURE_PASSWORD, SECURE_USER, secureAccess } from "../certificates.ts";
import { freePorts } from "../ports.ts";

/** A TLS listener; users with a password, or with a certificate that carries their name (EXTERNAL). */
export async function rabbitmqSecurity(folder: string, managementUrl: string) {
  const [port] = await freePorts(1);
  const certificates = await makeCertificates(folder, CERTIFIED_USER);
  const settings = {
    "listeners.ssl.local": `127.0.0.1:${port}`,
    "ssl_options.cacertfile": certificates.ca,
    "ssl_options.certfile": certificates.serverCertificate,
    "ssl_options.keyfile": certificates.serverKey,
    "ssl_options.verify": "verify_peer",
    "ssl_options.fail_if_no_peer_cert": "false",
    ssl_cert_login_from: "common_name",
    "auth_mechanisms.1": "PLAIN",
    "auth_mechanisms.2": "AMQPLAIN",
    "auth_mechanisms.3": "EXTERNAL",
  };
  const url = `amqps://${SECURE_USER}:${SECURE_PASSWORD}@127.0.0.1:${port}`;
  const secure = secureAccess(certificates, { url, certifiedUrl: `amqps://127.0.0.1:${port}` });
  return { settings, prepared: { secure, afterFirstStart: () => addUsers(managementUrl) } };
}

async function addUsers(managementUrl: string): Promise<void> {
  await put(managementUrl, `users/${SECURE_USER}`, { password: SECURE_PASSWORD, tags: "administrator" });
  await put(managementUrl, `users/${CERTIFIED_USER}`, { password_hash: "", tags: "administrator" }); // no password gets in
  for (const user of [SECURE_USER, CERTIFIED_USER])
    await put(managementUrl, `permissions/%2F/${user}`, { configure: ".*", write: ".*", read: ".*" });
}

async function put(managementUrl: string, path: string, body: Readonly<Record<string, string>>): Promise<void> {
  const { username, password, origin } = new URL(managementUrl);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  const response = await fetch(`${origin}/api/${path}`, {
    method: "PUT",
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`RabbitMQ refuses ${path}: ${response.status} ${await response.text()}`);
}
