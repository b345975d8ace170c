// Pages through the pairs, moves through cells by keyboard, and shows the figures of a cell. Without this script the
// report shows all pairs below each other, with the losses and wrong predictions under the pictures.
"use strict";
(() => {
  const pairs = [...document.querySelectorAll(".pair")];
  const tip = document.getElementById("tip");
  const select = document.querySelector(".pager select");
  let current = 0;
  let told = null; // the cell that the tip tells about

  function show(index) {
    current = (index + pairs.length) % pairs.length;
    pairs.forEach((pair, i) => { pair.hidden = i !== current; });
    hideTip();
    if (select) {
      select.value = String(current);
      document.getElementById("pair-number").textContent = String(current + 1);
    }
  }

  function hideTip() {
    tip.hidden = true;
    told = null;
  }

  function placeTip() {
    tip.style.left = "0"; // so that the edge of the window does not squeeze it while it is measured
    const box = told.getBoundingClientRect();
    const size = tip.getBoundingClientRect();
    const edge = 8;
    const left = box.left + box.width / 2 - size.width / 2;
    const room = document.documentElement.clientWidth - size.width - edge;
    const above = box.top - size.height - edge;
    tip.style.left = `${Math.max(edge, Math.min(left, room))}px`;
    tip.style.top = `${above >= edge ? above : box.bottom + edge}px`;
  }

  function showTip(cell) {
    const rows = [
      ["measured loss", cell.dataset.measured],
      ["requested loss", cell.dataset.requested],
      ["prediction", cell.dataset.predicted + (cell.classList.contains("wrong") ? " (wrong)" : "")],
      ["confidence", cell.dataset.confidence],
    ];
    const list = document.createElement("dl");
    for (const [name, value] of rows) {
      const term = document.createElement("dt");
      const text = document.createElement("dd");
      term.textContent = name;
      text.textContent = value;
      list.append(term, text);
    }
    tip.replaceChildren(list);
    if (cell.dataset.note) {
      const note = document.createElement("p");
      note.textContent = cell.dataset.note;
      tip.append(note);
    }
    tip.hidden = false;
    told = cell;
    placeTip();
  }

  function cellsOf(table) {
    return [...table.rows].map((row) => [...row.querySelectorAll(".cell")]).filter((row) => row.length);
  }

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
    if (event.key in steps) {
      focusCell(table, ...steps[event.key]);
    } else if (pairs.length > 1 && (event.key === "PageDown" || event.key === "PageUp")) {
      const which = [...pairs[current].querySelectorAll("table.grid")].indexOf(table);
      show(current + (event.key === "PageDown" ? 1 : -1));
      focusCell(pairs[current].querySelectorAll("table.grid")[which], row, column);
    } else {
      return;
    }
    event.preventDefault();
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hideTip();
    else move(event);
  });
  for (const name of ["focusin", "mouseover"]) {
    document.addEventListener(name, (event) => {
      const cell = event.target.closest(".cell");
      if (cell) showTip(cell);
      else hideTip();
    });
  }
  document.addEventListener("focusout", hideTip);
  document.addEventListener("scroll", () => { if (told) placeTip(); }, true);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-turn]");
    if (button) show(current + Number(button.dataset.turn));
  });
  if (select) select.addEventListener("change", () => show(Number(select.value)));

  // Paper cannot be unfolded.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const details of opened) details.open = true;
  });
  window.addEventListener("afterprint", () => { for (const details of opened) details.open = false; });
})();
