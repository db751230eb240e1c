// Legend of the classes on the map. Each entry switches its class on and off.

import { classColor, onThemeChange } from "./colors.js";

export function showLegend(element, map, onChange) {
  const switches = map.classes.map(({ label, count }, c) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "class" });
    button.title = `${count} examples. Click to hide or show; double-click to show only this class`;
    button.setAttribute("aria-pressed", "true");
    const swatch = Object.assign(document.createElement("span"), { className: "swatch" });
    button.append(swatch, String(label));
    const emphasize = (what) => {
      map.emphasized = what;
      map.needsBase = true;
      map.redraw();
    };
    button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && emphasize(c));
    button.addEventListener("pointerleave", () => emphasize(null));
    button.addEventListener("click", () => set((d) => (d === c ? !map.isShown[d] : map.isShown[d])));
    button.addEventListener("dblclick", () => {
      const isAlone = map.isShown.every((shown, d) => shown === (d === c));
      set((d) => isAlone || d === c);
    });
    return { button, swatch };
  });
  const set = (wanted) => {
    map.isShown = map.isShown.map((_, d) => wanted(d));
    switches.forEach(({ button }, d) => button.setAttribute("aria-pressed", String(map.isShown[d])));
    map.needsBase = true;
    map.redraw();
    onChange();
  };
  const paint = () => switches.forEach(({ swatch }, c) => (swatch.style.background = classColor(c)));
  paint();
  onThemeChange(paint);
  element.replaceChildren(...switches.map(({ button }) => button));
}
