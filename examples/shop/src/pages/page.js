import { TEXTS } from "./texts.js";

export const language = { value: "en" };
export const state = {
  items: [],
  stock: new Map(),
  basket: new Map(),
  orders: new Map(),
  scope: "all",
  tab: "stock",
  customer: "",
  sums: undefined,
  letters: [],
  invoices: [],
  notes: [],
};
export const $ = (id) => document.getElementById(id);
export const t = (name) => TEXTS[language.value][name];
export const count = (number) => new Intl.NumberFormat(language.value).format(number);
export const won = (amount) => `${count(amount)}${language.value === "ko" ? "원" : " ₩"}`;
export const time = (at) => new Date(at).toLocaleTimeString(language.value, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const shortId = (orderId) => orderId.slice(-6);
/** A name in both languages, "한국어 · English", shows the reader's; any other shows as it is. */
export const local = (name) => {
  const [korean, english, ...more] = name.split(" · ");
  return english === undefined || more.length > 0 ? name : language.value === "ko" ? korean : english;
};
export const nameOf = (productId) => local(state.items.find((item) => item.productId === productId)?.name ?? productId);

/** An element with properties and children; text is always text, never markup. */
export function el(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.filter((child) => child !== undefined && child !== false));
  return made;
}

export async function call(method, path, body, headers = {}) {
  const response = await fetch(path, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.title ?? `${response.status}`);
  return answer;
}

/** Runs `work` soon, once for many calls, and not while it runs. */
export function soon(work, waitMs) {
  let timer,
    isRunning = false,
    isWanted = false;
  const run = async () => {
    timer = undefined;
    isRunning = true;
    isWanted = false;
    await work().catch(() => undefined); // the next event asks again
    isRunning = false;
    if (isWanted) ask();
  };
  const ask = () => {
    isWanted = true;
    if (!isRunning) timer ??= setTimeout(() => void run(), waitMs);
  };
  return ask;
}

let toastTimer;
export function say(text, isBad = false) {
  clearTimeout(toastTimer);
  Object.assign($("toast"), { textContent: text, hidden: false, className: `toast${isBad ? " is-bad" : ""}` });
  toastTimer = setTimeout(() => ($("toast").hidden = true), 4_000);
}
