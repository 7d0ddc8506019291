/** What ends in an ellipsis tells its whole text where it is pointed at or has the focus. */

function tell(event: Event): void {
  const target = event.target instanceof Element ? event.target : null;
  const cut = target?.closest<HTMLElement>(".cut") ?? (event.type === "focusin" ? target?.querySelector<HTMLElement>(".cut") : null);
  if (!cut || (cut.title && cut.title !== cut.dataset["whole"])) return;
  const whole = cut.scrollWidth > cut.clientWidth ? (cut.textContent?.trim() ?? "") : "";
  cut.dataset["whole"] = whole;
  if (whole) cut.title = whole;
  else cut.removeAttribute("title");
}

export function tellWhatIsCut(): void {
  document.addEventListener("pointerover", tell);
  document.addEventListener("focusin", tell);
}
