// A click on a heading sorts its table by that column, a second click the other way round. Numbers
// sort by their first number, words by the alphabet; cells without a value stay last.
(function () {
  function key(row, column) {
    const text = row.cells[column].textContent.trim().replace("\u2212", "-");
    const number = text.replace(/(\d),(?=\d{3})/g, "$1").match(/^-?\d+(\.\d+)?(e[+-]?\d+)?/i);
    return text === "-" || text === "" ? null : number ? Number(number[0]) : text.toLowerCase();
  }

  function compare(first, second) {
    if (typeof first === typeof second) return first < second ? -1 : first > second ? 1 : 0;
    return typeof first === "number" ? -1 : 1;
  }

  function sort(table, column, sign) {
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row) => ({ row, key: key(row, column) }));
    const known = rows.filter((one) => one.key !== null);
    known.sort((first, second) => sign * compare(first.key, second.key));
    for (const one of known.concat(rows.filter((one) => one.key === null))) body.append(one.row);
  }

  document.addEventListener("click", function (event) {
    const heading = event.target.closest("article table thead th");
    if (!heading) return;
    const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
    sort(heading.closest("table"), heading.cellIndex, sign);
  });

  const style = document.createElement("style");
  style.textContent =
    "article table thead th{cursor:pointer}" +
    "article table thead th[aria-sort=ascending]::after{content:' \\25B2'}" +
    "article table thead th[aria-sort=descending]::after{content:' \\25BC'}";
  document.head.append(style);
})();
