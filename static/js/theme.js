// Chooses light or dark before the first paint. A choice the user made stands in the cookie `theme`; without one the system's is followed.
(() => {
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => (document.cookie.match(/(?:^|; )theme=(light|dark)/) || [])[1];
  const apply = () => root.setAttribute("data-bs-theme", chosen() || (system.matches ? "dark" : "light"));
  system.addEventListener("change", apply);
  apply();
  window.hubTheme = {
    toggle() {
      const next = root.getAttribute("data-bs-theme") === "dark" ? "light" : "dark";
      document.cookie = `theme=${next}; path=/; max-age=31536000; samesite=lax`;
      apply();
    },
  };
})();
