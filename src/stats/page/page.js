// Sorting, filtering and marking all. Without it the tables are as complete, only longer to look through.
(() => {
  const name = "tandem:" + location.pathname;
  let saved = {};
  try { saved = JSON.parse(sessionStorage.getItem(name)) || {}; } catch { saved = {}; }
  const save = () => { try { sessionStorage.setItem(name, JSON.stringify(saved)); } catch { /* private window */ } };
  saved.sort = saved.sort || {};

  const UNITS = { d: 86400, h: 3600, m: 60, s: 1 };
  const plain = (cell) => {
    const copy = cell.cloneNode(true);
    copy.querySelectorAll(".tips, svg").forEach((e) => e.remove());
    return copy.textContent.trim();
  };
  const worth = (cell) => {
    const text = plain(cell);
    if (text === "" || text === "-") return -1;
    if (/^\d+(\/\d+)?%?$/.test(text)) return parseInt(text, 10);
    const age = text.match(/^(?:\d+[dhms])+/);
    if (age && age[0] === text) {
      let sum = 0;
      for (const [, n, unit] of text.matchAll(/(\d+)([dhms])/g)) sum += n * UNITS[unit];
      return sum;
    }
    return age ? text.slice(age[0].length).trim().toLowerCase() : text.toLowerCase();
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });

  document.querySelectorAll("table.tbl").forEach((table) => {
    const proxy = table.dataset.px;
    const servers = () => [...table.querySelectorAll("tr[data-k=s]")];
    const [first, second] = table.querySelectorAll("tr.titre");
    const mark = first.querySelector("th[aria-label=Mark]");
    const offset = mark ? 2 : 1;
    const heads = [[first.querySelector("th.name"), offset - 1]];
    [...second.cells].forEach((head, at) => heads.push([head, at + offset]));
    const original = servers();
    if (original.length > 1) {
      const sort = () => {
        const by = saved.sort[proxy];
        heads.forEach(([head, at]) => {
          if (by && by.at === at) head.setAttribute("aria-sort", by.down ? "descending" : "ascending");
          else head.removeAttribute("aria-sort");
        });
        const end = document.createComment("");
        servers().at(-1).after(end);
        const rows = by
          ? original.map((row) => [worth(row.cells[by.at]), row])
            .sort(([a], [b]) => (by.down ? -1 : 1) * compare(a, b)).map(([, row]) => row)
          : original;
        rows.forEach((row) => end.before(row));
        end.remove();
      };
      heads.forEach(([head, at]) => {
        head.tabIndex = 0;
        head.classList.add("sorts");
        head.title = "Sort the servers by this";
        const turn = () => {
          const by = saved.sort[proxy];
          // Greatest first, smallest first, as configured.
          if (!by || by.at !== at) saved.sort[proxy] = { at, down: at >= offset };
          else if (by.down === (at >= offset)) saved.sort[proxy] = { at, down: !by.down };
          else delete saved.sort[proxy];
          save();
          sort();
        };
        head.addEventListener("click", turn);
        head.addEventListener("keydown", (e) => { if (e.key === "Enter") turn(); });
      });
      if (saved.sort[proxy]) sort();
    }
    if (mark) {
      const all = document.createElement("input");
      all.type = "checkbox";
      all.title = "Mark all that are shown";
      all.setAttribute("aria-label", all.title);
      all.addEventListener("change", () => servers().forEach((row) => {
        const box = row.querySelector("input[name=s]");
        if (box) box.checked = all.checked && !row.hidden;
      }));
      mark.append(all);
    }
  });

  const tools = document.querySelector(".tools");
  const box = document.createElement("input");
  box.type = "search";
  box.id = "filter";
  box.placeholder = "Filter: name, state, check";
  box.setAttribute("aria-label", box.placeholder);
  const filter = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    document.querySelectorAll(".proxy").forEach((proxy) => {
      const title = proxy.querySelector(".pxname").textContent.toLowerCase();
      let any = words.every((word) => title.includes(word));
      const whole = any;
      proxy.querySelectorAll("tr[data-k]").forEach((row) => {
        const text = title + " " + [...row.cells].map(plain).join(" ").toLowerCase();
        row.hidden = !whole && !words.every((word) => text.includes(word));
        any = any || !row.hidden;
      });
      proxy.hidden = !any;
    });
    saved.filter = box.value;
    save();
  };
  box.addEventListener("input", filter);
  tools.append(box);
  if (saved.filter) {
    box.value = saved.filter;
    filter();
  }
})();
