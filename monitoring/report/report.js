// Keeps the page fresh where a service shows it, and asks for a key where the service wants one. The key stays in this
// variable: it is gone with the page.
(() => {
  "use strict";
  const EVERY_MS = 60000;
  const OLD_MIN = 10; // after which the report says how old it is: a service writes one each minute
  const form = document.getElementById("sign-in");
  let key = "";

  // A chip beside the time, where nobody has written a newer report for a while.
  function tellAge() {
    const made = document.querySelector("header time");
    const minutes = made ? (Date.now() - Date.parse(made.dateTime)) / 60000 : 0;
    if (minutes < OLD_MIN) return;
    const [number, unit] = minutes < 120 ? [minutes, "minutes"] : minutes < 2880 ? [minutes / 60, "hours"] : [minutes / 1440, "days"];
    const chip = document.createElement("span");
    chip.className = "chip warn";
    chip.textContent = `${Math.round(number)} ${unit} old`;
    made.after(" ", chip);
  }

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
    tellAge();
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  }

  if (location.protocol === "file:") document.querySelector("header nav")?.remove(); // no service is beside a file
  tellAge();
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
