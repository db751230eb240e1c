// Several rows of a table side by side: one column a row, which can be selected. It takes the place of a `Film`.

import { cell } from "./columns.js";

export class TableFilm {
  constructor(element, length, pictures, name, onPick) {
    this.columns = pictures.columns;
    const table = document.createElement("table");
    table.className = "rows";
    const head = document.createElement("tr");
    this.frames = Array.from({ length }, (_, i) => {
      const frame = Object.assign(document.createElement("button"), { type: "button", className: "frame" });
      frame.textContent = String(i + 1);
      frame.setAttribute("aria-label", name(i));
      frame.title = name(i);
      frame.addEventListener("click", () => onPick(i));
      return frame;
    });
    head.append(cell("th", ""), ...this.frames.map((frame) => {
      const th = document.createElement("th");
      th.append(frame);
      return th;
    }));
    this.cells = this.columns.shown.map(() => this.frames.map(() => cell("td", "")));
    const lines = this.columns.shown.map((column, i) => {
      const line = document.createElement("tr");
      line.append(cell("th", column.name), ...this.cells[i]);
      return line;
    });
    table.append(head, ...lines);
    element.classList.add("scrolls");
    element.replaceChildren(table);
  }

  // Names the rows, instead of their numbers.
  setLabels(labels) {
    labels.forEach((label, k) => (this.frames[k].textContent = label));
  }

  show(k, values, offset = 0) {
    this.cells.forEach((line, i) => {
      line[k].textContent = line[k].title = this.columns.text(i, values[offset + i]);
      // What changes from one row to the next is what the eye looks for.
      if (k) line[k].classList.toggle("changed", line[k].textContent !== line[k - 1].textContent);
      line[k + 1]?.classList.toggle("changed", line[k + 1].textContent !== line[k].textContent);
    });
  }

  mark(marked) {
    this.frames.forEach((frame, k) => frame.classList.toggle("marked", k === marked));
    for (const line of this.cells) line.forEach((td, k) => td.classList.toggle("marked", k === marked));
  }
}
