/** How clients get in where the server asks who they are. PEM as text. */
export interface SecureAccess {
  /** TLS, with the user's name and password: `postgres://`, `mysql://`, `amqps://`, `kafka://` (SASL_SSL with SCRAM-SHA-256, SCRAM-SHA-512, PLAIN and OAUTHBEARER). */
  readonly url: string;
  /** TLS, where the client's certificate is the proof; its user is `certified`. */
  readonly certifiedUrl: string;
  /** Kafka only: the same mechanisms as at `url`, without TLS. */
  readonly withoutTlsUrl?: string;
  readonly user: string;
  readonly password: string;
  readonly ca: string;
  readonly clientKey: string;
  readonly clientCertificate: string;
}
