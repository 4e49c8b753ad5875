// The tray: all boxes at once, and what a promise would mean while its slider is moved.
"use strict";
document.addEventListener("change", (event) => {
  if (event.target.id !== "all") return;
  for (const box of document.querySelectorAll("input[form=several]")) box.checked = event.target.checked;
});
document.addEventListener("input", (event) => {
  if (event.target.id !== "keep") return;
  const offer = document.querySelector(`#offers [data-keep="${Number(event.target.value)}"]`);
  if (offer) document.getElementById("keep-says").textContent = offer.textContent;
});
