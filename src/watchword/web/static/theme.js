// Before the first paint, so that a chosen theme never flashes: "light", "dark" or neither.
(() => {
  try {
    const chosen = localStorage.getItem("watchword-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage is off: the system's choice stands.
  }
})();
