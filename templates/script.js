// Turns pages, moves through cells by keyboard, shows a cell's figures and the cell itself large, moves the sliders, filters
// the gallery, and writes pictures and tables to files. Without this script everything stands below each other.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // ---- pages of samples and of pairs ----
  class Pages {
    constructor(root) {
      this.root = root;
      this.pages = all(".page", root);
      this.select = root.querySelector(".pager select");
      this.current = 0;
      if (this.select) this.select.addEventListener("change", () => this.show(Number(this.select.value)));
      for (const button of all("[data-turn]", root)) {
        button.addEventListener("click", () => this.show(this.current + Number(button.dataset.turn)));
      }
    }

    get page() { return this.pages[this.current]; }

    show(index) {
      this.current = (index + this.pages.length) % this.pages.length;
      this.pages.forEach((page, i) => { page.hidden = i !== this.current; });
      hideTip();
      if (this.select) {
        this.select.value = String(this.current);
        this.root.querySelector(".number").textContent = String(this.current + 1);
      }
    }
  }
  const books = all(".pages").map((root) => new Pages(root));
  const bookOf = (node) => books.find((book) => book.root.contains(node));

  function openAddressed() {
    const page = location.hash.length > 1 ? byId(decodeURIComponent(location.hash.slice(1))) : null;
    if (!page) return;
    for (let node = page; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    const book = bookOf(page);
    if (book && book.pages.includes(page)) book.show(book.pages.indexOf(page));
    page.scrollIntoView();
  }

  // ---- the figures of a cell ----
  const tip = byId("tip");
  let told = null; // the cell that the tip tells about

  function hideTip() {
    tip.hidden = true;
    told = null;
  }

  // Beside the table, so that no neighbour is covered; at the foot of the window where there is no room.
  function placeTip() {
    tip.style.left = "0"; // so that the edge of the window does not squeeze it while it is measured
    tip.style.top = "0";
    const edge = 8;
    const box = told.getBoundingClientRect();
    const table = told.closest("table").getBoundingClientRect();
    const size = tip.getBoundingClientRect();
    const width = document.documentElement.clientWidth;
    const height = window.innerHeight;
    let left = table.right + edge;
    let top = box.top;
    if (left + size.width > width - edge) left = table.left - size.width - edge;
    if (left < edge) {
      left = Math.max(edge, Math.min(table.left, width - size.width - edge));
      top = table.bottom + edge;
      if (top + size.height > height - edge) top = box.top > height / 2 ? edge : height - size.height - edge;
    }
    tip.style.left = `${left}px`;
    tip.style.top = `${Math.max(edge, Math.min(top, height - size.height - edge))}px`;
  }

  function showTip(cell) {
    const rows = [
      ["loss", cell.dataset.measured],
      ["loss asked for", cell.dataset.requested],
      ["prediction", cell.dataset.predicted + (cell.classList.contains("wrong") ? " (wrong)" : "")],
      ["confidence", cell.dataset.confidence],
    ].filter(([, value]) => value);
    const list = document.createElement("dl");
    for (const [name, value] of rows) {
      const term = document.createElement("dt");
      const text = document.createElement("dd");
      term.textContent = name;
      text.textContent = value;
      list.append(term, text);
    }
    tip.replaceChildren(list);
    for (const words of [cell.dataset.strengths, cell.dataset.note]) {
      if (!words) continue;
      const note = document.createElement("p");
      note.textContent = words;
      tip.append(note);
    }
    tip.hidden = false;
    told = cell;
    placeTip();
  }

  // ---- keys ----
  const cellsOf = (table) => [...table.rows].map((row) => all(".cell", row)).filter((row) => row.length);

  function focusCell(table, row, column) {
    const cells = cellsOf(table);
    const line = cells[Math.max(0, Math.min(row, cells.length - 1))];
    const cell = line[Math.max(0, Math.min(column, line.length - 1))];
    for (const other of cells.flat()) other.tabIndex = other === cell ? 0 : -1;
    cell.focus();
  }

  function move(event) {
    const cell = event.target.closest(".cell");
    if (!cell || event.altKey || event.ctrlKey || event.metaKey) return;
    const table = cell.closest("table");
    const cells = cellsOf(table);
    const row = cells.findIndex((line) => line.includes(cell));
    const column = cells[row].indexOf(cell);
    const last = cells[row].length - 1;
    const steps = {
      ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
      ArrowUp: [row - 1, column], ArrowDown: [row + 1, column],
      Home: [row, 0], End: [row, last],
    };
    const book = bookOf(cell);
    if (event.key in steps) {
      focusCell(table, ...steps[event.key]);
    } else if (event.key === "Enter" || event.key === " ") {
      enlarge(cell);
    } else if (book.pages.length > 1 && (event.key === "PageDown" || event.key === "PageUp")) {
      const which = all("table.grid", book.page).indexOf(table);
      book.show(book.current + (event.key === "PageDown" ? 1 : -1));
      focusCell(all("table.grid", book.page)[which], row, column);
    } else {
      return;
    }
    event.preventDefault();
  }

  // ---- a cell large, beside the source sample ----
  const zoom = byId("zoom");
  let flickering = 0;

  function stopFlicker() {
    clearInterval(flickering);
    flickering = 0;
    zoom.querySelector("[data-flicker]").setAttribute("aria-pressed", "false");
    zoom.classList.remove("swapped");
  }

  function enlarge(cell) {
    const first = cell.closest("table").querySelector(".cell");
    const [source, chosen] = all(".frame", zoom);
    for (const [frame, from] of [[source, first], [chosen, cell]]) {
      frame.replaceChildren(from.querySelector(".picture").cloneNode(true));
    }
    // Under the chosen cell lies the source sample, for the flicker.
    const under = first.querySelector(".picture").cloneNode(true);
    under.classList.add("under");
    chosen.append(under);
    all("figcaption", zoom)[1].textContent = cell.querySelector(".hidden").textContent;
    hideTip();
    zoom.showModal();
  }

  zoom.addEventListener("close", stopFlicker);
  zoom.addEventListener("click", (event) => {
    if (event.target === zoom || event.target.closest("[data-close]")) zoom.close();
    const button = event.target.closest("[data-flicker]");
    if (!button) return;
    const start = !flickering;
    stopFlicker();
    if (!start) return;
    button.setAttribute("aria-pressed", "true");
    flickering = setInterval(() => zoom.classList.toggle("swapped"), 500);
  });

  // ---- files ----
  function save(name, href) {
    const link = document.createElement("a");
    link.href = href;
    link.download = name;
    link.click();
  }

  const quoted = (text) => `"${text.replaceAll('"', '""')}"`;

  function saveTable(page) {
    const lines = [["row", "column", "loss", "asked for", "predicted", "wrong", "confidence", "strengths"].join(",")];
    cellsOf(page.querySelector("table.grid")).forEach((row, r) => row.forEach((cell, c) => {
      const d = cell.dataset;
      const texts = [d.measured, d.requested, d.predicted, String(cell.classList.contains("wrong")), d.confidence, d.strengths ?? ""];
      lines.push([r + 1, c + 1, ...texts.map(quoted)].join(","));
    }));
    save(`${page.id}.csv`, `data:text/csv;charset=utf-8,${encodeURIComponent(lines.join("\r\n"))}`);
  }

  async function savePicture(page) {
    const cells = cellsOf(page.querySelector("table.grid"));
    const box = cells[0][0].querySelector(".picture").viewBox.baseVal;
    const side = Math.max(96, Math.min(256, Math.max(box.width, box.height)));
    const scale = side / Math.max(box.width, box.height);
    const [width, height, gap] = [box.width * scale, box.height * scale, 6];
    const canvas = document.createElement("canvas");
    canvas.width = cells[0].length * (width + gap) + gap;
    canvas.height = cells.length * (height + gap) + gap;
    const ink = canvas.getContext("2d");
    ink.fillStyle = getComputedStyle(document.body).backgroundColor;
    ink.fillRect(0, 0, canvas.width, canvas.height);
    for (const [r, row] of cells.entries()) {
      for (const [c, cell] of row.entries()) {
        const picture = cell.querySelector(".picture");
        await drawPicture(ink, picture, gap + c * (width + gap), gap + r * (height + gap), width, height);
        if (!cell.classList.contains("wrong")) continue;
        ink.strokeStyle = getComputedStyle(cell.querySelector(".wrong-text")).color;
        ink.lineWidth = 3;
        ink.strokeRect(gap + c * (width + gap), gap + r * (height + gap), width, height);
      }
    }
    save(`${page.id}.png`, canvas.toDataURL("image/png"));
  }

  async function drawPicture(ink, picture, x, y, width, height) {
    const view = picture.viewBox.baseVal;
    const use = picture.querySelector("use");
    if (use) {
      const sheet = byId(use.getAttribute("href").slice(1));
      const image = new Image();
      image.src = sheet.getAttribute("href");
      await image.decode();
      ink.imageSmoothingEnabled = !sheet.classList.contains("pixelated");
      ink.drawImage(image, view.x, view.y, view.width, view.height, x, y, width, height);
      return;
    }
    ink.save();
    ink.translate(x, y);
    ink.scale(width / view.width, height / view.height);
    for (const path of all("path", picture)) {
      const style = getComputedStyle(path);
      const shape = new Path2D(path.getAttribute("d"));
      ink.globalAlpha = Number(style.opacity);
      if (style.fill !== "none") { ink.fillStyle = style.fill; ink.fill(shape); }
      if (style.stroke !== "none") { ink.strokeStyle = style.stroke; ink.stroke(shape); }
    }
    ink.restore();
  }

  // ---- sliders ----
  for (const slider of all(".slider")) {
    const steps = all(".step", slider);
    const range = slider.querySelector(".range input");
    const turn = () => {
      steps.forEach((step, i) => { step.hidden = i !== Number(range.value); });
      range.setAttribute("aria-valuetext", steps[Number(range.value)].querySelector(".picture").getAttribute("aria-label"));
    };
    slider.classList.add("live");
    slider.querySelector(".range").hidden = false;
    range.addEventListener("input", turn);
    turn();
  }

  const wipe = document.querySelector(".wipe");
  if (wipe) {
    const range = wipe.querySelector("input");
    const over = wipe.querySelector(".over");
    const turn = () => { over.style.clipPath = `inset(0 0 0 ${range.value}%)`; };
    wipe.classList.add("live");
    range.hidden = false;
    range.addEventListener("input", turn);
    turn();
  }

  // ---- the gallery ----
  const filters = document.querySelector(".filters");
  if (filters) {
    const items = all(".gallery li");
    const chosen = all("[data-filter]", filters);
    const filter = () => {
      let shown = 0;
      for (const item of items) {
        item.hidden = !chosen.every(({ dataset, value }) => (
          dataset.filter === "loss" ? Number(item.dataset.loss) >= Number(value) : !value || item.dataset[dataset.filter] === value
        ));
        shown += !item.hidden;
      }
      filters.querySelector(".number").textContent = String(shown);
      filters.querySelector("output").textContent = Number(chosen.at(-1).value).toFixed(1);
    };
    filters.hidden = false;
    filters.addEventListener("input", filter);
  }

  // ---- events ----
  for (const line of all(".exports")) line.hidden = false;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hideTip();
    else move(event);
  });
  for (const name of ["focusin", "mouseover"]) {
    document.addEventListener(name, (event) => {
      const cell = event.target.closest(".cell");
      if (cell) showTip(cell);
      else if (!document.activeElement.closest(".cell")) hideTip();
      else showTip(document.activeElement.closest(".cell"));
    });
  }
  document.addEventListener("focusout", hideTip);
  document.addEventListener("scroll", () => { if (told) placeTip(); }, true);
  document.addEventListener("click", (event) => {
    const cell = event.target.closest(".cell");
    if (cell) enlarge(cell);
    const asked = event.target.closest("[data-export]");
    if (asked) (asked.dataset.export === "png" ? savePicture : saveTable)(bookOf(asked).page);
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      getSelection().selectAllChildren(copy.parentElement.querySelector("code"));
      document.execCommand("copy"); // a page opened from disk has no other clipboard
      copy.textContent = "Copied";
    }
  });
  addEventListener("hashchange", openAddressed);
  openAddressed();
})();
