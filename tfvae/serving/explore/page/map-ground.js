// Annotations of the map: the spread of the prior and the names of the classes.

import { themeColor } from "./colors.js";
import { keepApart } from "./labels.js";

const FAR = [1, 2, 3]; // standard deviations of the prior
const MOST_NAMES = 20;

// Writes text with an outline in the card's colour, so that it is legible on points of any colour.
function withHalo(context, text, x, y, color, halo = 4) {
  context.lineJoin = "round";
  context.lineWidth = halo;
  context.strokeStyle = themeColor("--card");
  context.strokeText(text, x, y);
  context.fillStyle = themeColor(color);
  context.fillText(text, x, y);
}

function strokeWithHalo(context, path, dashes) {
  for (const [color, width, alpha] of [["--card", 3.5, 0.65], ["--ink", 1.2, 0.5]]) {
    context.setLineDash(dashes);
    context.globalAlpha = alpha;
    context.strokeStyle = themeColor(color);
    context.lineWidth = width;
    context.stroke(path);
  }
  context.setLineDash([]);
  context.globalAlpha = 1;
}

// Draws one, two and three standard deviations of the prior: rings, or lines if there is one dimension. Returns the
// boxes of its labels.
export function drawReach(context, { view, plane, space }) {
  const center = view.toPixel(plane.at(space.mean));
  const [across, up] = [plane.u, plane.v].map((axis) => plane.spread(axis, space.stddev) * view.scale);
  context.font = `11px ${themeColor("--font")}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  const written = [];
  const write = (text, x, y, color) => {
    withHalo(context, text.replace("-", "−"), x, y, color);
    written.push({ x, y, width: 18, height: 12, isFixed: true });
  };
  for (const times of plane.isBand ? [...FAR.map((n) => -n).reverse(), 0, ...FAR] : FAR) {
    const path = new Path2D();
    if (plane.isBand) {
      const x = center[0] + times * across;
      path.moveTo(x, 22);
      path.lineTo(x, view.height);
      strokeWithHalo(context, path, times ? [2, 5] : []);
      write(`${times}σ`, x, 12, "--muted");
    } else {
      path.ellipse(...center, times * across, times * up, 0, 0, 2 * Math.PI);
      strokeWithHalo(context, path, times === 3 ? [2, 5] : []);
      write(`${times}σ`, center[0], center[1] + times * up - 9, "--ink");
    }
  }
  context.textBaseline = "alphabetic";
  return written;
}

// Writes the names of the classes at their medians, so that colour is not the only cue, and away from other labels.
export function drawNames(context, { view, classes, isShown, emphasized, medians, isHeap }, taken) {
  if (classes.length > MOST_NAMES || isHeap) return;
  context.font = `700 17px ${themeColor("--font")}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  const names = classes
    .map(({ label }, c) => ({ text: String(label), c, place: medians[c] }))
    .filter(({ c }) => isShown[c] && (emphasized === null || emphasized === c))
    .map(({ text, place }) => {
      const [x, y] = view.toPixel(place);
      return { text, x, y, width: context.measureText(text).width + 4, height: 17 };
    });
  keepApart([...taken, ...names]);
  for (const { text, x, y } of names) withHalo(context, text, x, y, "--ink", 5);
  context.textBaseline = "alphabetic";
}
