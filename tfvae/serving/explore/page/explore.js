// Starts the page: loads the description of the model and connects the parts.

import { attract } from "./attract.js";
import { Choice } from "./choice.js";
import { onThemeChange } from "./colors.js";
import { Columns } from "./columns.js";
import { DecodedRow } from "./decoded-row.js";
import { showLegend } from "./legend.js";
import { LatentMap } from "./map.js";
import { MapInput } from "./map-input.js";
import { Nearest } from "./nearest.js";
import { OwnImage } from "./own-image.js";
import { OwnRow } from "./own-row.js";
import { Path } from "./path.js";
import { Film, Pictures } from "./picture.js";
import { Plane } from "./plane.js";
import { Newest, ServerGone, server, whenBack } from "./server.js";
import { Sliders } from "./sliders.js";
import { Space, signed } from "./space.js";
import { Samples, Sweep } from "./strips.js";
import { TableFilm } from "./table-film.js";

const $ = (id) => document.getElementById(id);

function fail(error) {
  $("trouble").textContent = error.message;
  $("trouble").hidden = false;
  clearTimeout(fail.timer);
  const end = () => ($("trouble").hidden = true);
  if (error instanceof ServerGone) whenBack().then(end);
  else fail.timer = setTimeout(end, 8000);
}

async function start() {
  const model = await server.model();
  const points = await server.points(model.num_examples, model.latent_size, model.choice);
  const space = new Space(model);
  const pictures = new Pictures(model);
  describe(model);
  const choice = new Choice({
    element: $("choice"), model, ofExamples: points.choiceOf, onChange: () => decodeAgain(),
  });
  document.body.classList.toggle("plots", !pictures.isImage);
  const { columns } = pictures;
  const strips = { Film: columns ? TableFilm : Film, pictures, fail };
  if (columns) {
    document.body.classList.add("table");
    for (const element of document.querySelectorAll(".of-table")) element.hidden = false;
    for (const element of document.querySelectorAll(".of-pictures")) element.hidden = true;
  }
  for (const canvas of document.querySelectorAll("canvas.picture")) pictures.blank(canvas);

  const sheets = new Newest(({ z }) => server.decode(z), (values, { use }) => use(values), fail);
  const map = new LatentMap({
    element: $("map"), space, points, classes: model.classes, pictures, decoded: $("decoded"),
    askForSheet: (z) => new Promise((use) => sheets.want({ z, use })),
  });
  choosePlanes(model, space, map);
  const decodedRow = columns ? new DecodedRow({ columns, onFirst: (values) => own.take(values, { send: false }), fail }) : null;
  const showDecoded = columns ? () => decodedRow.update(space.shown) : showsDecoded(space, pictures, map);
  const nearest = new Nearest({ model, map, pictures, fail });
  const showNearest = () => {
    if (columns) return; // the nearest row is beside the decoded one
    nearest.update(space.shown);
    map.nearest = nearest.index;
  };
  showLegend($("legend"), map, showNearest);
  const sweep = new Sweep({
    element: $("sweep-film"), marks: $("sweep-marks"), choice: $("sweep-dimension"), space, ...strips,
  });
  const sliders = new Sliders($("sliders"), space, model, (dimension) => sweep.choose(dimension));
  const path = new Path({ element: $("path-film"), space, ...strips, onChange: () => showPath(path, map) });
  const samples = new Samples({ element: $("samples"), space, ...strips });
  const stopPath = () => path.stop();
  let own = null;
  const decodeAgain = () => {
    stopPath();
    path.redo();
    samples.redo();
    map.refresh();
    space.goTo(space.z);
    own?.redo();
  };

  space.on("move", (values) => {
    showDecoded(values);
    sliders.update();
    showNearest();
    $("place").textContent = placeOf(space);
    map.redraw();
  });
  space.on("settle", () => {
    sweep.update();
    if (space.size > (map.plane.isBand ? 1 : 2)) map.refresh(); // the plane went along
    $("status").textContent = `${choice.words()}${placeOf(space)}. ${columns ? decodedRow.words() : nearest.name()}`;
  });

  new MapInput(map, {
    setPathEnd: (name, z) => path.setEnd(name, z),
    playPath: () => path.toggle(),
    stopPath,
    goToExample: (index) => {
      choice.setToExample(index);
      space.goTo(map.zOf(index));
    },
  });
  // Moving anywhere else leaves the path.
  for (const id of ["map", "sliders", "sweep-film", "samples", "reset"]) $(id).addEventListener("pointerdown", stopPath);
  for (const id of ["sliders", "sweep-film", "samples", "reset"]) $(id).addEventListener("keydown", stopPath);
  $("play").addEventListener("click", () => path.toggle());
  $("set-a").addEventListener("click", () => path.setEnd("a", space.z));
  $("set-b").addEventListener("click", () => path.setEnd("b", space.z));
  $("speed").addEventListener("change", (event) => (path.speed = Number(event.target.value)));
  $("progress").addEventListener("input", (event) => path.goTo(Number(event.target.value)));
  $("draw").addEventListener("click", () => samples.draw());
  $("reset").addEventListener("click", () => space.goTo(space.mean));
  $("zoom-in").addEventListener("click", () => zoom(1.4));
  $("zoom-out").addEventListener("click", () => zoom(1 / 1.4));
  $("zoom-fit").addEventListener("click", () => map.fit());
  const zoom = (factor) => {
    map.view.zoom(factor, map.cursorPixel());
    map.refresh();
  };
  if (columns) {
    own = new OwnRow({ space, columns, model, choice, stopPath, fail });
    $("take-decoded").addEventListener("click", () => decodedRow.found && own.take(decodedRow.found.values));
    $("take-nearest").addEventListener("click", () => decodedRow.found && own.take(decodedRow.found.nearest));
  } else if (pictures.takesImages) own = new OwnImage({ space, pictures, model, choice, stopPath, fail });
  else $("own").hidden = true;

  const stops = stopsOf(map);
  path.setEnd("a", stops[0]);
  path.setEnd("b", stops[1] ?? space.mean);
  sweep.choose(model.widest[0]);
  space.goTo(stops[stops.length > 3 ? 3 : 0]);
  samples.draw();
  attract(space, stops, () => sweep.update());
}

// Decodes the current z and shows the result.
function showsDecoded(space, pictures, map) {
  const times = [];
  const show = (values) => {
    pictures.draw($("decoded"), values);
    showValues(pictures.texts(values));
    map.redraw();
  };
  const decoder = new Newest(
    async (z) => ({ began: performance.now(), values: await server.decode(z) }),
    ({ began, values }) => {
      show(values);
      times.push(performance.now() - began);
      if (times.length > 60) times.shift();
      if (times.length < 10) return; // the first ones wait for the rest of the page
      const median = times.slice().sort((a, b) => a - b)[times.length >> 1];
      $("latency").textContent = `${median.toFixed(1)} ms`;
      $("latency").title = `Time from the request to the image, median of the last ${times.length}`;
    },
    fail,
  );
  onThemeChange(() => decoder.want(space.shown));
  return (values) => {
    if (!values) return decoder.want(space.shown);
    decoder.forget();
    show(values);
  };
}

// Writes the value of each bar below it.
function showValues(texts) {
  $("values").hidden = !texts.length;
  if ($("values").childElementCount !== texts.length) {
    $("values").replaceChildren(...texts.map(() => document.createElement("span")));
  }
  texts.forEach((text, i) => ($("values").children[i].textContent = text));
}

function describe(model) {
  const kind = { image: "image", series: "series", volume: "volume" }[model.kind] ?? (model.columns ? "row of the table" : "example");
  $("headline").textContent = `Every point on this map is ${/^[aeiou]/.test(kind) ? "an" : "a"} ${kind}`;
  const words = model.columns ? new Columns(model.columns).words() : model.words;
  $("reading").textContent = words;
  $("reading").hidden = !words;
  const count = model.num_examples.toLocaleString("en");
  const latents = `${model.latent_size} latent dimension${model.latent_size === 1 ? "" : "s"}`;
  $("about").textContent = `${model.name} · ${count} examples of ${model.data} · ${latents}`;
  document.title = `${model.name} · latent space · tfvae`;
  if (!model.has_collapsed) return;
  const what = model.kl !== null && model.kl < 0.1 ? "is the prior" : "is the same";
  const kl = model.kl === null ? "" : ` (KL ${signed(model.kl)} nats)`;
  $("notice").textContent =
    `This model has collapsed: the posterior of every example ${what}${kl}, so the decoder ignores z. Every point, ` +
    `slider and sample decodes to nearly the same ${kind}.`;
  $("notice").hidden = false;
}

function choosePlanes(model, space, map) {
  const [plane, across, up] = ["plane", "axis-x", "axis-y"].map($);
  const components = model.principal_plane;
  const options = [new Option("two dimensions", "dimensions")];
  if (components) {
    const share = Math.round(100 * (components.explained[0] + components.explained[1]));
    options.unshift(new Option(`principal (${share} %)`, "principal"));
  }
  plane.replaceChildren(...options);
  for (const select of [across, up]) {
    select.replaceChildren(...space.mean.map((_, d) => new Option(`z${d + 1}`, d)));
  }
  // With two dimensions, the plane itself is the better map: its axes are the latents.
  plane.value = model.latent_size > 2 && components && !model.has_collapsed ? "principal" : "dimensions";
  $("planes").hidden = model.latent_size === 1;
  const [first, second = first] = model.latent_size > 2 ? model.widest : [0, 1].slice(0, model.latent_size);
  across.value = first;
  up.value = second;
  const choose = () => {
    const isPrincipal = plane.value === "principal";
    across.disabled = up.disabled = isPrincipal;
    map.setPlane(
      isPrincipal
        ? Plane.ofComponents(components)
        : Plane.ofDimensions(space.size, Number(across.value), Number(up.value)),
    );
  };
  for (const select of [plane, across, up]) select.addEventListener("change", choose);
  choose();
  $("background-label").hidden = !map.pictures.isImage;
  $("background").checked = model.latent_size <= 2 && !model.has_collapsed;
  $("background").addEventListener("change", (event) => map.setBackground(event.target.checked));
  map.setBackground($("background").checked);
}

function showPath(path, map) {
  map.path = path.ends;
  $("play").textContent = path.isPlaying ? "❚❚ Pause" : "▶ Play";
  $("play").setAttribute("aria-pressed", String(path.isPlaying));
  $("progress").value = path.share;
  map.redraw();
}

// Chooses points for the automatic tour, in an order that crosses the map: an example near the median of each class.
// Without classes, examples that are far apart; if all examples lie in one spot, points that are far apart.
function stopsOf(map) {
  const hasClasses = map.medians.length > 1 && !map.isHeap;
  const at = hasClasses ? map.medians : [[0.2, 0.5], [0.8, 0.5], [0.5, 0.2], [0.5, 0.8]].map((share) => {
    const { width, height } = map.view;
    return map.view.toPlace([share[0] * width, share[1] * height]);
  });
  const left = at.map((place, c) => ({ place, c }));
  const order = [left.shift()];
  while (left.length) {
    const { place } = order.at(-1);
    const away = left.map(({ place: [a, b] }) => Math.hypot(a - place[0], b - place[1]));
    order.push(...left.splice(away.indexOf(Math.max(...away)), 1));
  }
  return order.map(({ place, c }) =>
    map.isHeap ? map.plane.moved(map.space.mean, place) : map.zOf(map.exampleNear(place, hasClasses ? c : null)),
  );
}

function placeOf(space) {
  if (space.size <= 3) return Array.from(space.shown, (value, d) => `z${d + 1} ${signed(value)}`).join("   ");
  const squared = space.mean.reduce((sum, _, d) => sum + space.deviations(d) ** 2, 0);
  return `${signed(Math.sqrt(squared), 1)}σ from the mean, typical ${Math.sqrt(space.size).toFixed(1)}σ`;
}

start().catch((error) => {
  fail(error);
  if (error instanceof ServerGone) whenBack().then(() => location.reload());
});
