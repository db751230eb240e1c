// Ten class colours for each background. They differ for colour-blind users too: with normal sight, protanopia or
// deuteranopia (simulated), the OKLab distance of any two is at least 0.15 on light and 0.11 on dark backgrounds.

const LIGHT = [
  "#0f2277", "#af7027", "#596583", "#f07d9b", "#8a3405", "#29bcfc", "#5c0524", "#fca105", "#592dc4", "#3d83fc",
];
const DARK = [
  "#567ce2", "#fbb92c", "#90cab0", "#ba4f23", "#f1defd", "#ac4997", "#b9ff9a", "#a09d05", "#dc9bfe", "#ac8b95",
];

const darkness = window.matchMedia("(prefers-color-scheme: dark)");

export function classColor(index) {
  const colors = darkness.matches ? DARK : LIGHT;
  return index < 0 ? colors[0] : colors[index % colors.length];
}

// The current value of a style sheet property, cached: asking the browser in each frame would take longer than drawing.
const known = new Map();
darkness.addEventListener("change", () => known.clear());

export function themeColor(name) {
  if (!known.has(name)) known.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return known.get(name);
}

// Converts "#rrggbb" to three numbers.
export function channels(color) {
  return [1, 3, 5].map((start) => parseInt(color.slice(start, start + 2), 16));
}

export function onThemeChange(listener) {
  darkness.addEventListener("change", listener);
}
