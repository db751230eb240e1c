// Moving parts of the map: the cursor with its picture, the example nearest in all dimensions of z, the point that a
// click would select, the path from A to B, and the class names on top.

import { themeColor } from "./colors.js";
import { drawNames } from "./map-ground.js";
import { POINTED } from "./map-input.js";

const LENS = 92; // pixels, fewer on a small map
const END = 10; // radius of A and B

export function drawOverlay(map) {
  const { view, space, plane } = map;
  const context = map.over.getContext("2d");
  context.setTransform(map.ratio, 0, 0, map.ratio, 0, 0);
  context.clearRect(0, 0, view.width, view.height);
  const pixel = map.cursorPixel();
  const near = map.nearestTo(pixel);
  const ends = map.path.a ? [map.path.a, map.path.b].map((z) => view.toPixel(plane.at(z))) : [];
  if (ends.length) drawPath(context, ends);
  const taken = ends.map(([x, y]) => ({ x, y, width: 2 * END, height: 2 * END, isFixed: true }));
  drawNames(context, map, [...map.written, ...taken]);
  drawEnds(context, ends);
  if (space.peek) drawDot(context, view.toPixel(plane.at(space.z)), 4);
  if (map.nearest >= 0) drawRing(context, map.pixelOf(map.nearest), 6, 2, "--accent");
  if (near.index >= 0 && near.distance < POINTED) drawRing(context, map.pixelOf(near.index), 6, 1.5);
  drawRing(context, pixel, 11, 2.5);
  drawDot(context, pixel, 2);
  drawLens(context, map, pixel);
}

function drawPath(context, ends) {
  for (const [color, width, dashes] of [["--card", 5, []], ["--ink", 2, [1, 6]]]) {
    context.strokeStyle = themeColor(color);
    context.lineWidth = width;
    context.setLineDash(dashes);
    context.lineCap = "round";
    context.beginPath();
    context.moveTo(...ends[0]);
    context.lineTo(...ends[1]);
    context.stroke();
  }
  context.setLineDash([]);
}

function drawEnds(context, ends) {
  context.font = `700 12px ${themeColor("--font")}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  ends.forEach((pixel, i) => {
    drawDot(context, pixel, END);
    context.fillStyle = themeColor("--card");
    context.fillText("AB"[i], pixel[0], pixel[1] + 0.5);
  });
}

// Draws the decoded picture beside the cursor, on the side that has room.
function drawLens(context, { view, pictures, decoded }, [x, y]) {
  if (pictures.columns) return; // a row has no picture
  const shape = pictures.height / pictures.width;
  const size = Math.min(LENS, view.width / 4.5);
  const [width, height] = shape > 1 ? [size / shape, size] : [size, size * shape];
  const beside = x + 20 + width > view.width ? x - 20 - width : x + 20;
  const above = y - 20 - height < 4 ? y + 20 : y - 20 - height;
  const left = Math.max(4, Math.min(beside, view.width - width - 4));
  const top = Math.max(4, Math.min(above, view.height - height - 4));
  context.save();
  context.shadowColor = "rgb(0 0 0 / 35%)";
  context.shadowBlur = 14;
  context.shadowOffsetY = 3;
  context.fillStyle = themeColor("--card");
  context.beginPath();
  context.roundRect(left - 3, top - 3, width + 6, height + 6, 9);
  context.fill();
  context.restore();
  context.save();
  context.beginPath();
  context.roundRect(left, top, width, height, 6);
  context.clip();
  context.imageSmoothingEnabled = !pictures.isImage;
  context.drawImage(decoded, left, top, width, height);
  context.restore();
}

function drawRing(context, [x, y], radius, width, ink = "--ink") {
  for (const [color, extra] of [["--card", 3], [ink, 0]]) {
    context.strokeStyle = themeColor(color);
    context.lineWidth = width + extra;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.stroke();
  }
}

function drawDot(context, [x, y], radius) {
  context.fillStyle = themeColor("--ink");
  context.strokeStyle = themeColor("--card");
  context.lineWidth = 2;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
  context.fill();
}
