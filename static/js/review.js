// The match review: how many customers are chosen, equal rows hidden on wish, and no decision by a key that was meant for the page before.
(() => {
  const SETTLING = 400; // milliseconds: a letter typed twice decides one case, not the next one unseen
  const opened = performance.now();
  const bar = document.querySelector("[data-decide]");
  const settled = () => performance.now() - opened >= SETTLING;
  const typing = (el) => el.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName);

  document.addEventListener("keydown", (event) => {
    if (!settled() && !typing(event.target) && /^[mnu]$/.test(event.key)) event.stopImmediatePropagation();
  }, true);
  if (bar) setTimeout(() => { bar.dataset.ready = ""; }, SETTLING);

  // Fewer than two customers are no decision: the buttons say so before anything is sent.
  const sides = [...document.querySelectorAll("[data-side]")];
  function count() {
    const chosen = sides.filter((side) => side.checked).length;
    document.querySelectorAll("[data-needs-two]").forEach((button) => { button.disabled = chosen < 2; });
    document.querySelectorAll("[data-how-many]").forEach((place) => {
      place.textContent = chosen > 1 && sides.length > 2 ? `${chosen} of ${sides.length}` : "";
    });
    const why = document.getElementById("too-few");
    if (why) why.textContent = chosen < 2 ? "Choose two customers or more to decide about them." : "";
  }
  if (sides.length) {
    document.addEventListener("change", (event) => { if (event.target.matches("[data-side]")) count(); });
    count();
  }

  const equal = document.querySelector("[data-hide-equal]");
  if (equal) {
    document.querySelector("[data-equal-switch]").hidden = false;
    equal.addEventListener("change", () => {
      document.querySelector("[data-compare]").classList.toggle("hide-equal", equal.checked);
      document.cookie = `equal=${equal.checked ? "hide" : "show"}; path=/; max-age=31536000; samesite=lax`;
    });
  }

  // A value of one's own is chosen by writing it.
  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-own]")) event.target.closest("td").querySelector("[type=radio]").checked = Boolean(event.target.value);
  });

  // One form of the bar is open at a time, so that it never covers the page.
  document.querySelectorAll("[data-decide] details").forEach((one) => one.addEventListener("toggle", () => {
    if (!one.open) return;
    document.querySelectorAll("[data-decide] details[open]").forEach((other) => { if (other !== one) other.open = false; });
  }));
})();
