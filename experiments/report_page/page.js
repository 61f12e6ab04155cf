// Every table sorts by the column whose head is pressed, and again the other way round.
// #sort=3,2,descending in the address sorts the third table by its second column, so that a view can be linked to.

// Commas group thousands, arrows and stars do not count: "1,234.5 ± 0.2 (3)" sorts by 1234.5.
function key(cell) {
  const text = cell.textContent.trim();
  const number = parseFloat(text.replaceAll(",", ""));
  return /^[-+]?[\d.]/.test(text) && !Number.isNaN(number) ? number : text.toLowerCase();
}

function compare(a, b) {
  if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
  return typeof a === "number" ? -1 : 1; // numbers before words
}

function sort(table, column, direction) {
  const rows = [...table.tBodies[0].rows];
  const sign = direction === "descending" ? -1 : 1;
  rows.sort((a, b) => sign * compare(key(a.cells[column]), key(b.cells[column])));
  table.tBodies[0].append(...rows);
  [...table.tHead.rows[0].cells].forEach((head, i) => {
    if (i === column) head.setAttribute("aria-sort", direction);
    else head.removeAttribute("aria-sort");
  });
}

const tables = [...document.querySelectorAll("table")];
for (const table of tables) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () =>
      sort(table, column, head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending")
    );
  });
}

const asked = /^#sort=(\d+),(\d+),(ascending|descending)$/.exec(location.hash);
if (asked && tables[asked[1] - 1]) sort(tables[asked[1] - 1], asked[2] - 1, asked[3]);
