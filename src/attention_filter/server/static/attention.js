// The heat maps: what a cell says, and arrow keys from cell to cell; each map is one stop of the Tab key.
"use strict";
(() => {
  const says = document.getElementById("says");
  const tell = (event) => {
    const cell = event.target.closest?.("[data-column]");
    if (cell && says) says.textContent = cell.getAttribute("aria-label");
  };
  document.addEventListener("pointerover", tell);
  document.addEventListener("focusin", tell);
  const moves = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  document.addEventListener("keydown", (event) => {
    const cell = event.target.closest?.("[data-column]");
    const move = moves[event.key];
    if (!cell || !move || event.ctrlKey || event.metaKey || event.altKey) return;
    const [column, line] = [Number(cell.dataset.column) + move[0], Number(cell.dataset.line) + move[1]];
    const next = cell.parentNode.querySelector(`[data-column="${column}"][data-line="${line}"]`);
    event.preventDefault();
    if (!next) return;
    cell.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
})();
