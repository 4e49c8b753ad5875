// Sliders say their value while they are moved.
"use strict";
document.addEventListener("input", (event) => {
  if (event.target.type !== "range") return;
  const says = document.querySelector(`output[for="${CSS.escape(event.target.id)}"]`);
  if (says && event.target.id !== "keep") says.textContent = event.target.value + (says.dataset.unit ?? "");
});
