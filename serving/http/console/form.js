// The form: a field for each feature of the served model, with its range, unit and example. What is allowed, the service
// says; a field only helps to type it.
const Form = (() => {
  "use strict";
  const WIDEST = 1e9; // a range beyond this has no bound in the dataset file, so there is no slider
  const STEPS = 200; // of a slider for numbers with fractions
  const MISSING = "";
  const fields = new Map();

  function build(model, place, onInput) {
    fields.clear();
    const inputs = make("div", { class: "fields" });
    const audited = make("div", { class: "fields" });
    for (const feature of model.features) {
      (feature.protected && !feature.required ? audited : inputs).append(field(feature, model.example[feature.name]));
    }
    place.replaceChildren(inputs);
    if (audited.children.length) {
      place.append(make("details", { class: "audited" },
        make("summary", {}, "Recorded for audits, never used by the model"), audited));
    }
    place.oninput = onInput;
  }

  function field(feature, example) {
    const id = `field-${fields.size}`;
    const control = feature.type === "categorical" ? choice(feature, id) : number(feature, id, example);
    const fault = make("p", { class: "error small", id: `${id}-fault` });
    const about = [feature.description, range(feature), feature.nullable ? "may be missing" : ""].filter(Boolean).join("; ");
    const slider = feature.type === "categorical" ? null : sliderFor(feature, control);
    fields.set(feature.name, { feature, control, slider, fault });
    return make("div", { class: "field" },
      make("label", { for: id }, feature.name, feature.unit ? make("span", { class: "quiet" }, ` (${feature.unit})`) : null),
      make("div", { class: slider ? "with-slider" : "" }, control, slider),
      make("p", { class: "hint", id: `${id}-hint` }, about), fault);
  }

  function choice(feature, id) {
    const optional = feature.nullable || (feature.protected && !feature.required);
    const empty = optional ? [make("option", { value: MISSING }, "missing")] : [];
    const options = feature.categories.map((category) => make("option", { value: category }, category));
    return make("select", { id, "aria-describedby": `${id}-hint ${id}-fault` }, ...empty, ...options);
  }

  function number(feature, id, example) {
    return make("input", {
      id, type: "number", step: feature.type === "integer" ? 1 : "any", placeholder: example === undefined ? "" : String(example),
      min: bounded(feature) ? feature.minimum : null, max: bounded(feature) ? feature.maximum : null,
      inputmode: feature.type === "integer" ? "numeric" : "decimal", autocomplete: "off",
      "aria-describedby": `${id}-hint ${id}-fault`,
    });
  }

  function sliderFor(feature, control) {
    if (!bounded(feature)) return null;
    const step = feature.type === "integer" ? 1 : (feature.maximum - feature.minimum) / STEPS;
    const slider = make("input", {
      type: "range", min: feature.minimum, max: feature.maximum, step, "aria-label": `${feature.name}, slider`,
    });
    slider.addEventListener("input", () => { control.value = slider.value; });
    control.addEventListener("input", () => { if (control.value !== "") slider.value = control.value; });
    return slider;
  }

  const bounded = (feature) => feature.maximum - feature.minimum < WIDEST;
  const range = (feature) => bounded(feature) ? `${grouped(feature.minimum)} to ${grouped(feature.maximum)}` : "";

  function fill(values) {
    for (const [name, { control, slider }] of fields) {
      const value = values[name];
      control.value = value === null || value === undefined ? MISSING : String(value);
      if (slider && control.value !== "") slider.value = control.value;
    }
  }

  function values() {
    const found = {};
    for (const [name, { feature, control }] of fields) {
      const value = typed(feature, control.value);
      if (value !== undefined) found[name] = value;
    }
    return found;
  }

  // The value of a text for the service: a number where it is one, else the text as it is, which the service then names.
  function typed(feature, text) {
    if (text === MISSING) return feature.nullable ? null : feature.protected && !feature.required ? undefined : null;
    if (feature.type === "categorical") return text;
    const value = Number(text.trim());
    return text.trim() !== "" && Number.isFinite(value) ? value : text;
  }

  function showFaults(details) {
    for (const { fault, control } of fields.values()) {
      fault.textContent = "";
      control.removeAttribute("aria-invalid");
    }
    let first = null;
    for (const detail of details) {
      const known = fields.get(detail.field);
      if (!known) continue;
      known.fault.textContent = detail.message;
      known.control.setAttribute("aria-invalid", "true");
      first ??= known.control;
    }
    return first;
  }

  return { build, fill, values, typed, showFaults };
})();
