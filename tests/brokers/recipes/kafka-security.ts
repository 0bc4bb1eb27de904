import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CERTIFIED_USER, type Certificates, makeCertificates, SECURE_PASSWORD, SECURE_USER, secureAccess } from "../certificates.ts";
import { freePorts } from "../ports.ts";

const MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];
const LOGIN = "org.apache.kafka.common.security";

/** Three more listeners: SASL over TLS, TLS with a client's certificate, SASL in the clear. Tokens of OAUTHBEARER are unsigned (`alg: none`), as Kafka has it for tests. */
export async function kafkaSecurity(folder: string) {
  const [sasl, mutual, clear] = await freePorts(3);
  const certificates = await makeCertificates(folder, CERTIFIED_USER);
  const places = [`SASL_SSL://127.0.0.1:${sasl}`, `SSL://127.0.0.1:${mutual}`, `SASL_PLAINTEXT://127.0.0.1:${clear}`].join(",");
  const access = {
    url: `kafka://127.0.0.1:${sasl}`,
    certifiedUrl: `kafka://127.0.0.1:${mutual}`,
    withoutTlsUrl: `kafka://127.0.0.1:${clear}`,
  };
  return {
    secure: secureAccess(certificates, access),
    properties: { ...tls(folder, certificates), ...logins("sasl_ssl"), ...logins("sasl_plaintext") },
    /** Go behind what these have already. */
    behindLists: {
      listeners: places,
      "advertised.listeners": places,
      "listener.security.protocol.map": "SASL_SSL:SASL_SSL,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
    },
    formatArgs: ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((mechanism) => [
      "--add-scram",
      `${mechanism}=[name=${SECURE_USER},password=${SECURE_PASSWORD}]`,
    ]),
  };
}

function tls(folder: string, { ca, serverKey, serverCertificate }: Certificates): Readonly<Record<string, string>> {
  const keystore = join(folder, "keystore.pem");
  writeFileSync(keystore, [serverKey, serverCertificate, ca].map((path) => readFileSync(path, "utf8")).join(""));
  return {
    "ssl.keystore.type": "PEM",
    "ssl.keystore.location": keystore,
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": ca,
    "listener.name.ssl.ssl.client.auth": "required",
  };
}

function logins(listener: string): Readonly<Record<string, string>> {
  const of = (mechanism: string): string => `listener.name.${listener}.${mechanism}.sasl.jaas.config`;
  return {
    [`listener.name.${listener}.sasl.enabled.mechanisms`]: MECHANISMS.join(","),
    [of("plain")]: `${LOGIN}.plain.PlainLoginModule required user_${SECURE_USER}="${SECURE_PASSWORD}";`,
    [of("scram-sha-256")]: `${LOGIN}.scram.ScramLoginModule required;`,
    [of("scram-sha-512")]: `${LOGIN}.scram.ScramLoginModule required;`,
    [of("oauthbearer")]: `${LOGIN}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="${SECURE_USER}";`,
  };
}
