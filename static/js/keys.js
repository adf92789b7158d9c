// Keyboard shortcuts: single letters, never while typing; switched off by data-shortcuts="off" on the body (preferences page).
// A person may give them letters of their own: pages and scripts go on knowing a shortcut by the hub's letter.
(() => {
  const body = document.body;
  if (body.dataset.shortcuts === "off") return;
  const typing = (el) => el.isContentEditable || (/^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName) && !/^(checkbox|radio)$/.test(el.type));
  const rows = () => [...document.querySelectorAll("[data-list] [data-row]")].filter((row) => row.offsetParent !== null);
  let waiting = "";

  // Hub's letter -> the person's, of those that differ on this page.
  const letters = JSON.parse(document.getElementById("shortcuts")?.dataset.letters || "{}");
  const meant = new Map(Object.entries(letters).map(([own, letter]) => [letter, own]));
  const translated = new WeakSet();

  // Before anybody else sees it, a pressed letter becomes the one that the hub means; a letter that was given away does nothing.
  window.addEventListener("keydown", (event) => {
    if (translated.has(event) || event.ctrlKey || event.metaKey || event.altKey || waiting) return;
    if (!(event.target instanceof Element) || typing(event.target)) return;
    const own = meant.get(event.key);
    if (own === undefined && !Object.hasOwn(letters, event.key)) return;
    event.stopImmediatePropagation();
    if (own === undefined) return;
    event.preventDefault();
    const told = new KeyboardEvent("keydown", { key: own, bubbles: true, cancelable: true, repeat: event.repeat });
    translated.add(told);
    event.target.dispatchEvent(told);
  }, true);

  // What stands on buttons and links is the letter to press.
  function mark(part) {
    for (const [own, letter] of Object.entries(letters)) {
      part.querySelectorAll(`[data-key="${CSS.escape(own)}"]`).forEach((one) => {
        const place = one.querySelector("kbd") || one.closest("label")?.querySelector("kbd");
        if (place) place.textContent = letter;
      });
    }
  }
  mark(document);
  document.addEventListener("htmx:afterSettle", (event) => mark(event.target));

  function step(by) {
    const all = rows();
    if (!all.length) return;
    const now = all.findIndex((row) => row.classList.contains("at"));
    const next = Math.min(all.length - 1, Math.max(0, now < 0 ? (by > 0 ? 0 : all.length - 1) : now + by));
    all.forEach((row) => row.classList.remove("at"));
    all[next].classList.add("at");
    const link = all[next].querySelector("a[href]");
    (link || all[next]).focus();
    all[next].scrollIntoView({ block: "nearest" });
  }

  function help() {
    const dialog = document.getElementById("shortcuts");
    if (dialog.open) dialog.close();
    else dialog.showModal();
  }

  // What a page ties to a letter of its own: a link or button is pressed, a folded form is opened at its first field.
  function act(target) {
    if (!target.matches("details")) { target.click(); return; }
    target.open = true;
    const field = target.querySelector("input:not([type=hidden]), textarea, select");
    field.focus();
    field.scrollIntoView({ block: "center" });
  }

  const keys = {
    "/": () => {
      const field = [...document.querySelectorAll("[data-search]")].find((box) => box.offsetParent !== null);
      if (field) { field.focus(); field.select(); }
    },
    "?": help,
    j: () => step(1),
    k: () => step(-1),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      document.querySelectorAll("details[data-menu][open]").forEach((menu) => {
        menu.open = false;
        menu.querySelector("summary").focus();
      });
      if (typing(document.activeElement)) document.activeElement.blur();
      return;
    }
    if (typing(event.target) || document.querySelector("dialog[open]") && event.key !== "?") return;
    if (waiting === "g") {
      const link = document.querySelector(`[data-go="${event.key}"]`);
      waiting = "";
      if (link) { event.preventDefault(); link.click(); }
      return;
    }
    if (event.key === "g") {
      waiting = "g";
      setTimeout(() => { waiting = ""; }, 1500);
      return;
    }
    const own = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (own) {
      event.preventDefault();
      if (!event.repeat || own.matches("a")) act(own); // a key held down goes through a list, but sends no form twice
    } else if (keys[event.key]) {
      event.preventDefault();
      keys[event.key]();
    }
  });
  document.querySelectorAll("[data-shortcuts-help]").forEach((button) => button.addEventListener("click", (event) => {
    event.preventDefault();
    help();
  }));
})();
