// A page that asks: the key that stands on an answer gives it.
"use strict";
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=radio]), textarea, select")) return;
  const row = event.target.closest("[data-question]");
  const answer = (row ?? document).querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!answer) return;
  event.preventDefault();
  answer.click();
  if (row) row.nextElementSibling?.querySelector("input, button")?.focus();
});
