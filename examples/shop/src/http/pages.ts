import { readdirSync, readFileSync } from "node:fs";
import { extname } from "node:path";
import type { FastifyInstance } from "fastify";

const LANGUAGES = ["en", "ko"] as const;
const TYPES: Readonly<Record<string, string>> = { ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml" };
const FOLDER = new URL("../pages/", import.meta.url);
const HEADERS = {
  "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cache-control": "no-cache",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

/** The storefront: a page, its style and its scripts, from memory. */
export function pageRoutes(app: FastifyInstance): void {
  const page = readPage("index.html");
  const pages = Object.fromEntries(LANGUAGES.map((language) => [language, page.replace('<html lang="en">', `<html lang="${language}">`)]));
  app.get("/", async (request, reply) => {
    const { lang } = request.query as { readonly lang?: unknown };
    const language = LANGUAGES.find((one) => one === lang) ?? preferred(request.headers["accept-language"] ?? "");
    return reply
      .headers({ ...HEADERS, vary: "accept-language", "content-language": language })
      .type("text/html; charset=utf-8")
      .send(pages[language]);
  });
  for (const file of readdirSync(FOLDER)) {
    const type = TYPES[extname(file)];
    if (type === undefined) continue;
    const content = readPage(file);
    app.get(`/${file}`, async (_request, reply) => reply.headers(HEADERS).type(`${type}; charset=utf-8`).send(content));
  }
}

const readPage = (file: string): string => readFileSync(new URL(file, FOLDER), "utf8");

/** The reader's language of ours: the one that is weighed most, the earlier of equals. */
export function preferred(acceptLanguage: string): (typeof LANGUAGES)[number] {
  const weighed = acceptLanguage.split(",").map((part) => {
    const [tag = "", ...parameters] = part.trim().toLowerCase().split(";");
    const weight = parameters.map((one) => /^\s*q=([\d.]+)$/.exec(one)?.[1]).find((one) => one !== undefined);
    return {
      language: LANGUAGES.find((one) => tag === one || tag.startsWith(`${one}-`)),
      weight: weight === undefined ? 1 : Number(weight),
    };
  });
  const ours = weighed.filter((one) => one.language !== undefined && one.weight > 0).sort((one, other) => other.weight - one.weight);
  return ours[0]?.language ?? "en";
}
