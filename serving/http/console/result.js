// The result: probability, decision, reasons and what each feature adds. A score is recorded by the service; a what-if is
// asked of /explain, which decides and records nothing as a decision.
const Result = (() => {
  "use strict";
  const MOST_SHOWN = 8; // contributions before the rest is folded away
  const WORDS = { approve: "Approve", decline: "Decline", refer: "Refer to a person" };
  let scored = null; // the explanation and values that were recorded last
  let place = null;

  function show(model, explanation, values, recorded) {
    if (recorded) scored = { explanation, values };
    const changed = recorded || !scored ? [] : differences(scored.values, values);
    place.replaceChildren(
      headline(model, explanation, changed),
      gauge(model, explanation),
      changed.length ? whatIf(explanation, changed) : note(explanation, recorded),
      ...(explanation.reasons.length ? [reasons(explanation)] : []),
      contributions(explanation));
    const mini = document.getElementById("mini");
    mini.replaceChildren(chip(explanation.decision), make("strong", {}, percent(explanation.probability)));
    mini.hidden = false;
  }

  function headline(model, explanation, changed) {
    const points = explanation.score === undefined ? null : make("span", { class: "points" }, `${grouped(explanation.score)} points`);
    return make("div", { class: "headline" },
      make("div", {}, make("p", { class: "quiet small" }, changed.length ? "What if" : "Decision"), chip(explanation.decision)),
      make("div", { class: "number" }, make("p", { class: "quiet small" }, `probability of ${model.event}`),
        make("strong", { class: "probability" }, percent(explanation.probability)), points));
  }

  const chip = (decision) => make("span", { class: `chip decision ${decision}` }, WORDS[decision] ?? decision);

  function gauge(model, explanation) {
    const at = 1000 * explanation.probability;
    const drawn = make("svg", { class: "gauge", viewBox: "0 0 1000 100", preserveAspectRatio: "none", "aria-hidden": "true" },
      make("rect", { class: "track", width: 1000, height: 100 }),
      make("rect", { class: `fill ${explanation.decision}`, width: at.toFixed(1), height: 100 }));
    if (model.threshold === null || model.threshold === undefined) return drawn;
    const limit = (1000 * model.threshold).toFixed(1);
    drawn.append(make("path", { class: "limit", d: `M${limit} -20V120` }));
    return make("div", {}, drawn, make("p", { class: "quiet small" }, `declines from ${percent(model.threshold)} upwards`));
  }

  function note(explanation, recorded) {
    return make("p", { class: "quiet small" }, recorded
      ? `Recorded as ${explanation.application_id}. Move a field to see what would change; that is not recorded as a decision.`
      : "Not recorded as a decision.");
  }

  function whatIf(explanation, changed) {
    const before = scored.explanation;
    const back = make("button", { type: "button", class: "second small" }, "Back to the recorded values");
    back.addEventListener("click", () => document.dispatchEvent(new CustomEvent("restore", { detail: scored.values })));
    return make("div", { class: "what-if" },
      make("p", {}, make("strong", {}, `${percent(before.probability)} → ${percent(explanation.probability)}`),
        before.decision === explanation.decision ? "" : `, ${before.decision} → ${explanation.decision}`),
      make("ul", { class: "small" }, ...changed.map(([name, was, now]) => make("li", {}, `${name}: ${shown(was)} → ${shown(now)}`))),
      make("p", { class: "quiet small" }, "Not recorded as a decision. It tells how the model reacts, not what would happen to this person."),
      back);
  }

  function differences(before, now) {
    const names = new Set([...Object.keys(before), ...Object.keys(now)]);
    return [...names].filter((name) => before[name] !== now[name]).map((name) => [name, before[name], now[name]]);
  }

  const shown = (value) => value === null || value === undefined ? "missing" : String(value);

  function reasons(explanation) {
    return make("div", {}, make("h3", {}, "Principal reasons"),
      make("ol", { class: "reasons" }, ...explanation.reasons.map((reason) =>
        make("li", {}, reason.text, make("span", { class: "quiet" }, ` (${reason.feature} = ${shown(reason.value)})`)))));
  }

  function contributions(explanation) {
    const sorted = [...explanation.contributions].sort((one, other) => Math.abs(other.log_odds) - Math.abs(one.log_odds));
    const most = Math.max(...sorted.map((one) => Math.abs(one.log_odds)), 1e-9);
    const table = (rows) => make("table", { class: "contributions" }, make("tbody", {}, ...rows.map((one) => row(one, most))));
    const rest = sorted.slice(MOST_SHOWN);
    return make("div", {}, make("h3", {}, "What moved it"),
      make("p", { class: "quiet small" }, `In log-odds, from the base rate of ${percent(explanation.base_rate)}: to the right raises the probability.`),
      table(sorted.slice(0, MOST_SHOWN)),
      rest.length ? make("details", {}, make("summary", {}, `${rest.length} smaller ones`), table(rest)) : null);
  }

  function row(one, most) {
    const length = 490 * Math.abs(one.log_odds) / most;
    const raises = one.log_odds > 0;
    const bar = make("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", "aria-hidden": "true" },
      make("path", { class: "base", d: "M500 0V100" }),
      make("rect", { class: raises ? "raises" : "lowers", x: raises ? 500 : (500 - length).toFixed(1), y: 15, width: length.toFixed(1), height: 70 }));
    const points = one.points === undefined ? "" : `, ${one.points > 0 ? "+" : ""}${one.points} points`;
    return make("tr", {}, make("th", { scope: "row" }, one.feature, make("span", { class: "quiet small" }, shown(one.value))),
      make("td", { class: "drawn" }, bar),
      make("td", { class: "number" }, `${raises ? "+" : "−"}${Math.abs(one.log_odds).toFixed(2)}${points}`));
  }

  return { into: (element) => { place = element; }, show, forget: () => { scored = null; }, isThere: () => scored !== null, chip };
})();
