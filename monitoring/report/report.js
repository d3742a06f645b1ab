// Keeps the page fresh where a service shows it, and asks for a key where the service wants one. The key stays in this
// variable: it is gone with the page.
(() => {
  "use strict";
  const EVERY_MS = 60000;
  const form = document.getElementById("sign-in");
  let key = "";

  async function load() {
    const headers = { accept: "text/html" };
    if (key) headers.authorization = `Bearer ${key}`;
    const answer = await fetch(location.pathname, { headers, cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status === 401 ? "The service does not know this key." : answer.status === 403
      ? "This key may not read the report: it needs the permission read." : `The service answers ${answer.status}.`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const open = [...document.querySelectorAll("details[open][id]")].map((each) => each.id);
    document.title = fresh.title;
    for (const part of ["header", "main"]) document.querySelector(part).replaceWith(fresh.querySelector(part));
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  }

  const again = () => setInterval(() => { if (!document.hidden) load().catch(() => {}); }, EVERY_MS);
  if (form) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const said = document.getElementById("sign-in-error");
      key = document.getElementById("key").value.trim();
      said.textContent = "";
      try { await load(); again(); } catch (error) { said.textContent = error.message; }
    });
  } else if (location.protocol.startsWith("http")) {
    again();
  }
})();
