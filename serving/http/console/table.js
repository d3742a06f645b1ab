// A table: pasted or opened, sent to /predict in chunks, and given back with scores. What the service refuses is set aside
// with its words, and the rest of the chunk is sent again.
const Table = (() => {
  "use strict";
  const CHUNK = 250; // rows per request: progress is seen, and a refused row costs little
  const MOST_SHOWN = 20; // rows of the result; the download has them all
  const MOST_TRIES = 20; // of a chunk that the service is too busy for
  const ID = "application_id";
  let stopped = false;

  // Names, applicants and what is ignored, of the rows of a CSV.
  function read(text, model) {
    const [names = [], ...cells] = Csv.parse(text);
    const header = names.map((name) => name.trim());
    const features = new Map(model.features.map((feature) => [feature.name, feature]));
    const ignored = header.filter((name) => !features.has(name) && name !== ID);
    if (cells.length === 0) throw new Error("There is no row below the header.");
    if (ignored.length === header.length) throw new Error("No column has the name of a feature. The first line must have the names.");
    const applicants = cells.map((row) => {
      const applicant = {};
      header.forEach((name, place) => {
        const value = row[place] ?? "";
        if (name === ID) { if (value !== "") applicant[ID] = value; return; }
        const made = features.has(name) ? Form.typed(features.get(name), value) : undefined;
        if (made !== undefined) applicant[name] = made;
      });
      return applicant;
    });
    return { header, cells, applicants, ignored };
  }

  // The result of each applicant: an answer, a fault, or null where it was stopped before.
  async function score(applicants, results, onProgress) {
    stopped = false;
    for (let start = 0; start < applicants.length && !stopped; start += CHUNK) {
      const places = applicants.slice(start, start + CHUNK).map((_, place) => start + place);
      await scoreChunk(places, applicants, results, onProgress);
      onProgress(Math.min(start + CHUNK, applicants.length));
    }
  }

  async function scoreChunk(places, applicants, results, onProgress) {
    let tries = 0;
    while (places.length && !stopped) {
      try {
        const answers = await Session.call("predict", { applicants: places.map((place) => applicants[place]) });
        places.forEach((place, number) => { results[place] = answers[number]; });
        return;
      } catch (error) {
        if (error.retryAfterS && tries < MOST_TRIES) {
          tries += 1;
          onProgress(null, `${error.message} Trying again ...`);
          await new Promise((done) => { setTimeout(done, 1000 * error.retryAfterS); });
        } else if (error.status === 422 && error.details.some((detail) => detail.row !== null)) {
          places = setAside(places, error.details, results);
        } else if (error.status === 413 && places.length > 1) {
          const middle = Math.ceil(places.length / 2);
          await scoreChunk(places.slice(0, middle), applicants, results, onProgress);
          places = places.slice(middle);
        } else throw error;
      }
    }
  }

  // The places that are left when those with a fault are given its words.
  function setAside(places, details, results) {
    const faults = new Map();
    for (const { row, field, message } of details) {
      if (row !== null) faults.set(row, [...(faults.get(row) ?? []), field ? `${field}: ${message}` : message]);
    }
    for (const [row, messages] of faults) results[places[row]] = { fault: messages.join("; ") };
    return places.filter((_, row) => !faults.has(row));
  }

  function summary(results) {
    const counts = {};
    for (const result of results) {
      const word = !result ? "not scored" : result.fault ? "refused" : result.decision;
      counts[word] = (counts[word] ?? 0) + 1;
    }
    return Object.entries(counts).map(([word, number]) => `${grouped(number)} ${word}`).join(", ");
  }

  function preview(results) {
    const rows = results.slice(0, MOST_SHOWN).map((result, place) => make("tr", {},
      make("th", { scope: "row", class: "number" }, String(place + 1)),
      make("td", {}, result?.application_id ?? ""),
      make("td", { class: "number" }, result?.probability === undefined ? "" : percent(result.probability)),
      make("td", {}, result?.decision ? Result.chip(result.decision) : make("span", { class: "error" }, result?.fault ?? "not scored"))));
    const heads = ["row", "id", "probability", "decision"].map((name) => make("th", { scope: "col" }, name));
    const more = results.length > MOST_SHOWN ? `The first ${MOST_SHOWN} of ${grouped(results.length)} rows; the download has all.` : "";
    return make("table", {}, make("caption", {}, more), make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
  }

  // The table as it came, with the answers beside it.
  function download({ header, cells }, results) {
    const added = [ID, "probability", "decision", "score", "model", "fault"];
    const used = added.filter((name) => results.some((result) => result?.[name] !== undefined));
    const kept = header.map((name, place) => [name, place]).filter(([name]) => !used.includes(name));
    const rows = cells.map((row, place) => [...kept.map(([, at]) => row[at] ?? ""), ...used.map((name) => results[place]?.[name])]);
    return new Blob([Csv.write([[...kept.map(([name]) => name), ...used], ...rows])], { type: "text/csv" });
  }

  return { read, score, summary, preview, download, stop: () => { stopped = true; } };
})();
