// Without this script all is still there: tables are just not sorted or filtered. Its words come from the page.
const said = JSON.parse(document.getElementById("said").textContent);
const collator = new Intl.Collator(undefined, { numeric: true });

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.title = said.sort;
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((h) => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[column].dataset.key ?? row.cells[column].textContent;
      const numeric = head.classList.contains("n");
      const rows = [...table.tBodies[0].rows].map((row) => [key(row), row]);
      rows.sort(([a], [b]) => {
        if (a === "" || b === "") return (a === "") - (b === ""); // not defined stays last, whichever the direction
        return (numeric ? a - b : collator.compare(a, b)) * (down ? -1 : 1);
      });
      table.tBodies[0].append(...rows.map(([, row]) => row));
    });
  });
}

for (const field of document.querySelectorAll("input[type=search]")) {
  const table = document.getElementById(field.getAttribute("aria-controls"));
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of table.tBodies[0].rows) {
      const content = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => content.includes(word));
    }
  });
}

// A link into a closed part opens it; one to a case that the viewer has opens it there.
function reveal(target) {
  if (!target) return;
  target.hidden = false;
  for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  document.querySelector(".found")?.classList.remove("found");
  target.classList.add("found");
  target.scrollIntoView({ block: "center" });
}
function follow() {
  const name = decodeURIComponent(location.hash.slice(1));
  if (name && !caseViewer?.open(name)) reveal(document.getElementById(name));
}
addEventListener("hashchange", follow);
document.addEventListener("click", (event) => {
  const name = event.target.closest?.('a[href^="#case-"]')?.getAttribute("href").slice(1);
  if (!name || event.ctrlKey || event.metaKey || event.shiftKey || !caseViewer?.open(name)) return;
  event.preventDefault(); // the browser would go to the row of the table
  if (location.hash !== `#${name}`) history.pushState(null, "", `#${name}`);
});
if (location.hash) follow();

addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => (part.open = true)));
