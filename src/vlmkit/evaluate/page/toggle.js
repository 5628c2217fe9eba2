(function () {
  "use strict";
  var root = document.documentElement, button = document.getElementById("theme");
  var names = ["auto", "light", "dark"], words = { auto: "Auto", light: "Light", dark: "Dark" };
  function show(name) {
    root.style.colorScheme = name === "auto" ? "light dark" : name;
    button.textContent = words[name];
    button.setAttribute("aria-label", "Colours: " + words[name] + ". Press for the next.");
    button.dataset.theme = name;
  }
  var asked = new URLSearchParams(location.search).get("theme");
  show(names.indexOf(asked) < 0 ? "auto" : asked);
  button.hidden = false;
  button.addEventListener("click", function () {
    show(names[(names.indexOf(button.dataset.theme) + 1) % names.length]);
  });
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details.plots").forEach(function (one) { one.open = true; });
  });
})();
