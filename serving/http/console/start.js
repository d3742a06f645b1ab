// Puts the parts together: who may see the page, the form, what happens when something is typed, and the table.
(() => {
  "use strict";
  const WAIT_MS = 150; // after the last change of a field, before the service is asked
  const at = (id) => document.getElementById(id);
  let model = null, asked = 0, timer = 0, url = null;

  function open(described) {
    model = described;
    document.title = `Console: ${model.name}`;
    at("model").textContent = `${model.name}:${model.version}`;
    Form.build(model, at("fields"), changed);
    Form.fill(model.example);
    Result.into(at("result"));
    at("sign-in-card").hidden = true;
    at("app").hidden = false;
  }

  async function signIn(event) {
    event.preventDefault();
    at("sign-in-error").textContent = "";
    Session.use(at("key").value.trim());
    try {
      const described = await Session.call("console");
      if (model) { at("sign-in-card").hidden = true; return; }
      open(described);
      at("score").focus();
    } catch (error) {
      at("sign-in-error").textContent = error.message;
    }
  }

  function refused(error, place) {
    if (error.status === 401) { at("sign-in-card").hidden = false; at("key").focus(); }
    const first = error.details?.length ? Form.showFaults(error.details) : null;
    place.textContent = first ? `${error.message}: see the fields.` : error.message;
    return first;
  }

  async function score(event) {
    event.preventDefault();
    clearTimeout(timer);
    const values = Form.values(), id = at("reference").value.trim(), mine = asked += 1;
    at("score").disabled = true;
    try {
      const [prediction] = await Session.call("predict", { applicants: [id ? { ...values, application_id: id } : values] });
      const { application_id } = prediction;
      const [explanation] = await Session.call("explain", { applicants: [{ ...values, application_id }] });
      if (mine === asked) { settled(); Result.show(model, { ...explanation, ...prediction }, values, true); }
    } catch (error) {
      refused(error, at("form-error"))?.focus();
    } finally {
      at("score").disabled = false;
    }
  }

  function changed() {
    if (!Result.isThere()) return;
    clearTimeout(timer);
    timer = setTimeout(whatIf, WAIT_MS);
  }

  async function whatIf() {
    const values = Form.values(), mine = asked += 1;
    try {
      const [explanation] = await Session.call("explain", { applicants: [values] });
      if (mine === asked) { settled(); Result.show(model, explanation, values, false); } // else a later one is on its way
    } catch (error) {
      if (mine === asked) refused(error, at("form-error"));
    }
  }

  function settled() {
    at("form-error").textContent = "";
    Form.showFaults([]);
  }

  async function scoreTable(event) {
    event.preventDefault();
    const said = at("table-error");
    said.textContent = "";
    let table;
    try {
      table = Table.read(at("table-text").value, model);
    } catch (error) {
      said.textContent = error.message;
      return;
    }
    running(true);
    at("table-note").textContent = table.ignored.length ? `Not sent, as no feature has the name: ${table.ignored.join(", ")}.` : "";
    const total = table.applicants.length;
    at("progress").max = total;
    at("progress").value = 0;
    const results = new Array(total).fill(null);
    try {
      await Table.score(table.applicants, results, (done, words) => {
        if (done !== null) at("progress").value = done;
        at("progress-text").textContent = words ?? `${grouped(done)} of ${grouped(total)} rows`;
      });
    } catch (error) {
      refused(error, said);
    }
    running(false);
    at("progress-text").textContent = `${grouped(total)} rows: ${Table.summary(results)}`;
    at("table-result").replaceChildren(Table.preview(results));
    if (url) URL.revokeObjectURL(url);
    url = URL.createObjectURL(Table.download(table, results));
    at("download").href = url;
    at("download").hidden = false;
  }

  function running(is) {
    at("progress-line").hidden = false;
    at("table-score").disabled = is;
    at("table-stop").hidden = !is;
    at("download").hidden = true;
  }

  async function openFile(file) {
    if (file) at("table-text").value = await file.text();
  }

  at("sign-in").addEventListener("submit", signIn);
  at("form").addEventListener("submit", score);
  at("example").addEventListener("click", () => { Form.fill(model.example); changed(); });
  at("table-form").addEventListener("submit", scoreTable);
  at("table-stop").addEventListener("click", Table.stop);
  at("table-file").addEventListener("change", (event) => openFile(event.target.files[0]));
  at("table-text").addEventListener("dragover", (event) => event.preventDefault());
  at("table-text").addEventListener("drop", (event) => {
    if (event.dataTransfer.files.length) { event.preventDefault(); openFile(event.dataTransfer.files[0]); }
  });
  document.addEventListener("restore", (event) => { Form.fill(event.detail); changed(); });
  const described = JSON.parse(at("described").textContent);
  if (described) open(described); else at("sign-in-card").hidden = false;
})();
