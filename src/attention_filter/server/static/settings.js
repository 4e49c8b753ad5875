// The number beside a slider follows it. Without JavaScript it shows what is saved.
for (const slider of document.querySelectorAll('#sliders input')) {
  const shown = document.querySelector(`output[for="${slider.id}"]`);
  const percent = new Intl.NumberFormat(document.documentElement.lang, { style: 'percent' });
  slider.addEventListener('input', () => { shown.textContent = percent.format(slider.value); });
}
