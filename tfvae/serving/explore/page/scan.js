// Converts any image to one of the model's size: scaled to fit, each pixel the mean of the area it covers.

const MOST = 1024;
const MOST_DARK = 0.01; // of a drawing that is light

// Computes the brightness in [0, 1] of each pixel and channel, and of the image's border.
export async function scan(file, { width, height, channels }) {
  const bitmap = await createImageBitmap(file);
  const shrunk = Math.min(1, MOST / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * shrunk));
  canvas.height = Math.max(1, Math.round(bitmap.height * shrunk));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const source = context.getImageData(0, 0, canvas.width, canvas.height);
  layOnGround(source.data);
  const border = borderOf(source);
  const size = Math.min(width / source.width, height / source.height);
  const left = (width - source.width * size) / 2;
  const top = (height - source.height * size) / 2;
  const values = new Float32Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const box = [(x - left) / size, (y - top) / size, (x + 1 - left) / size, (y + 1 - top) / size];
      const color = meanOf(source, box, border);
      const at = (y * width + x) * channels;
      if (channels === 1) values[at] = luminance(color);
      else values.set(color, at);
    }
  }
  return { values, border: luminance(border) };
}

// Replaces transparency by white, or by black if everything drawn is light and would not be visible on white.
function layOnGround(data) {
  let [dark, cover] = [0, 0];
  for (let at = 0; at < data.length; at += 4) {
    cover += data[at + 3];
    if (luminance(data.subarray(at, at + 3)) < 128) dark += data[at + 3];
  }
  const ground = dark < MOST_DARK * cover ? 0 : 255;
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] === 255) continue;
    const share = data[at + 3] / 255;
    for (let c = 0; c < 3; c++) data[at + c] = share * data[at + c] + (1 - share) * ground;
  }
}

// Computes the mean colour of a box with partial weights for edge pixels. Outside the image it is the border's colour.
function meanOf(source, [x0, y0, x1, y1], outside) {
  const sum = [0, 0, 0];
  let covered = 0;
  for (let y = Math.max(0, Math.floor(y0)); y < Math.min(source.height, y1); y++) {
    const high = Math.min(y + 1, y1) - Math.max(y, y0);
    for (let x = Math.max(0, Math.floor(x0)); x < Math.min(source.width, x1); x++) {
      const weight = high * (Math.min(x + 1, x1) - Math.max(x, x0));
      if (weight <= 1e-9) continue;
      covered += weight;
      for (let c = 0; c < 3; c++) sum[c] += (weight * source.data[4 * (y * source.width + x) + c]) / 255;
    }
  }
  const rest = Math.max(0, 1 - covered / ((x1 - x0) * (y1 - y0)));
  return sum.map((value, c) => (covered ? (value / covered) * (1 - rest) : 0) + outside[c] * rest);
}

function borderOf({ width, height, data }) {
  const sum = [0, 0, 0];
  let count = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (x > 0 && y > 0 && x < width - 1 && y < height - 1) {
        x = width - 2; // from the left edge to the right one
        continue;
      }
      for (let c = 0; c < 3; c++) sum[c] += data[4 * (y * width + x) + c] / 255;
      count++;
    }
  }
  return sum.map((value) => value / count);
}

// Grey pixels keep their exact level, so that an image saved from the data set is reproduced exactly.
function luminance([red, green, blue]) {
  return red === green && green === blue ? red : 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
