import { BROKER_KINDS, type BrokerAddresses, MANAGEMENT_VARIABLE, URL_VARIABLES } from "./kinds.ts";

/** Lines for a shell to evaluate, and the same as JSON behind `# ` on the last; what is missing is told in a comment. */
export function printed(addresses: BrokerAddresses): string {
  const lines = BROKER_KINDS.flatMap((kind) => {
    const { url, missing } = addresses[kind];
    return url === undefined ? comment(`no ${kind}: ${missing}`) : [`export ${URL_VARIABLES[kind]}=${quoted(url)}`];
  });
  const { managementUrl } = addresses.rabbitmq as { readonly managementUrl?: string };
  const management = managementUrl === undefined ? [] : [`export ${MANAGEMENT_VARIABLE}=${quoted(managementUrl)}`];
  return [...lines, ...management, `# ${JSON.stringify(addresses)}`].map((line) => `${line}\n`).join("");
}

function comment(text: string): readonly string[] {
  return text.split("\n").map((line) => `# ${line}`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
