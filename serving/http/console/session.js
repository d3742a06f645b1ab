// Calls to the service, with the key that was typed. The key is in this variable alone: it is gone with the page.
const Session = (() => {
  "use strict";
  let key = "";

  class Refusal extends Error {
    constructor(status, error, retryAfterS) {
      super(error?.message ?? `The service answers ${status}.`);
      this.status = status;
      this.details = error?.details ?? [];
      this.retryAfterS = retryAfterS;
    }
  }

  async function call(path, body) {
    const headers = { accept: "application/json" };
    if (key) headers.authorization = `Bearer ${key}`;
    const options = { headers, cache: "no-store" };
    if (body !== undefined) {
      headers["content-type"] = "application/json";
      options.method = "POST";
      options.body = JSON.stringify(body);
    }
    let answer;
    try {
      answer = await fetch(path, options);
    } catch {
      throw new Refusal(0, { message: "The service cannot be reached." }, 1);
    }
    const said = await answer.json().catch(() => null);
    if (answer.ok) return said;
    throw new Refusal(answer.status, said?.error, Number(answer.headers.get("retry-after")) || 0);
  }

  return { call, use: (typed) => { key = typed; } };
})();

// Markup: an element with attributes and children; text is never read as HTML.
function make(name, attributes = {}, ...children) {
  const svg = ["svg", "rect", "path"].includes(name);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)}%`;
const grouped = (number) => number.toLocaleString("en", { maximumFractionDigits: 6 });
