// CSV as RFC 4180 has it, and with semicolons or tabs, as spreadsheets of many countries write it.
const Csv = (() => {
  "use strict";

  // The rows of a text; the separator is the one of , ; and tab that its first line has the most of.
  function parse(text) {
    const source = text.replace(/^\uFEFF/, "");
    const first = source.slice(0, source.search(/\r|\n|$/));
    const separator = [",", ";", "\t"].reduce((best, each) => first.split(each).length > first.split(best).length ? each : best);
    const rows = [];
    let row = [], cell = "", quoted = false;
    const endCell = () => { row.push(cell); cell = ""; };
    const endRow = () => { endCell(); if (row.length > 1 || row[0] !== "") rows.push(row); row = []; };
    for (let at = 0; at < source.length; at += 1) {
      const letter = source[at];
      if (quoted) {
        if (letter !== '"') cell += letter;
        else if (source[at + 1] === '"') { cell += '"'; at += 1; } else quoted = false;
      } else if (letter === '"' && cell === "") quoted = true;
      else if (letter === separator) endCell();
      else if (letter === "\n" || letter === "\r") { if (letter === "\r" && source[at + 1] === "\n") at += 1; endRow(); }
      else cell += letter;
    }
    if (cell !== "" || row.length) endRow();
    return rows;
  }

  // A text cell that a spreadsheet would run as a formula gets an apostrophe, as OWASP advises; a number is no formula.
  function cellOf(value) {
    let text = value === null || value === undefined ? "" : String(value);
    if (/^[=+\-@\t\r]/.test(text) && !Number.isFinite(Number(text))) text = `'${text}`;
    return /[",\n\r;]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  const write = (rows) => rows.map((row) => row.map(cellOf).join(",")).join("\r\n") + "\r\n";
  return { parse, write };
})();
