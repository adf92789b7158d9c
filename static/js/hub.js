// What the pages add when JavaScript runs. Every page works as plain links and forms without it.
(() => {
  const say = (text) => {
    const live = document.getElementById("live");
    if (live) live.textContent = text;
  };

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-copy], [data-theme-switch], [data-check-all], [data-close-dialog], [data-print]");
    document.querySelectorAll("details[data-menu][open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
    if (!target) return;
    if (target.matches("[data-copy]")) copy(target);
    if (target.matches("[data-theme-switch]")) {
      event.preventDefault();
      window.hubTheme.toggle();
      say(`Theme: ${document.documentElement.getAttribute("data-bs-theme")}`);
    }
    if (target.matches("[data-check-all]")) {
      const boxes = document.querySelectorAll(`input[type=checkbox][name="${target.dataset.checkAll}"]`);
      boxes.forEach((box) => { box.checked = target.checked; });
      count();
    }
    if (target.matches("[data-close-dialog]")) target.closest("dialog").close();
  });

  async function copy(button) {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Clipboard access needs https or localhost: select a hidden field and copy the old way.
      const field = document.createElement("textarea");
      field.value = text;
      field.className = "visually-hidden";
      button.after(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    button.classList.add("copied");
    say("Copied");
    setTimeout(() => button.classList.remove("copied"), 1500);
  }

  // "3 chosen" beside a bulk action; the action is enabled only when something is chosen.
  function count() {
    document.querySelectorAll("[data-chosen]").forEach((place) => {
      const chosen = document.querySelectorAll(`input[name="${place.dataset.chosen}"]:checked`).length;
      place.textContent = chosen ? `${chosen} chosen` : "";
    });
    document.querySelectorAll("[data-needs]").forEach((button) => {
      button.disabled = !document.querySelector(`input[name="${button.dataset.needs}"]:checked`);
    });
  }
  document.addEventListener("change", (event) => {
    count();
    if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
  });
  document.addEventListener("DOMContentLoaded", count);

  // A form that was sent is not sent twice by a second click.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    const button = event.submitter;
    if (button && button.dataset.busy) {
      button.dataset.said = button.textContent;
      button.textContent = button.dataset.busy;
    }
  });
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
    document.querySelectorAll("button[data-said]").forEach((button) => { button.textContent = button.dataset.said; });
  });

  // File drop zone: dropping is only another way to fill the file field.
  document.querySelectorAll("[data-drop]").forEach((zone) => {
    const field = zone.querySelector("input[type=file]");
    const name = zone.querySelector("[data-file-name]");
    const show = () => {
      const file = field.files[0];
      const large = Boolean(file) && file.size > Number(zone.dataset.most);
      name.textContent = large ? zone.dataset.refusal : file ? file.name : "";
      if (!large) return;
      field.value = ""; // it would be sent for nothing: the hub refuses it too
      say(zone.dataset.refusal);
    };
    field.addEventListener("change", show);
    for (const kind of ["dragenter", "dragover"]) {
      zone.addEventListener(kind, (event) => { event.preventDefault(); zone.classList.add("over"); });
    }
    for (const kind of ["dragleave", "drop"]) zone.addEventListener(kind, () => zone.classList.remove("over"));
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      field.files = event.dataTransfer.files;
      show();
    });
  });
})();
