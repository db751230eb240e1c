// The row of a table that is decoded at the cursor, beside the nearest training row.

import { cell } from "./columns.js";
import { Newest, server } from "./server.js";

const $ = (id) => document.getElementById(id);
const MOST_TOLD = 6; // columns that a screen reader is told

export class DecodedRow {
  constructor({ columns, onFirst, fail }) {
    Object.assign(this, { columns, onFirst });
    this.lines = columns.shown.map(({ name, kind }, i) => {
      const line = document.createElement("tr");
      const head = cell("th", name);
      head.scope = "row";
      head.title = `${name}: ${kind}`;
      const cells = ["", "", ""].map((text) => cell("td", text, columns.all[i].categories.length ? "" : "number"));
      cells[1].classList.add("muted");
      line.append(head, ...cells);
      return { line, cells };
    });
    $("decoded-rows").replaceChildren(...this.lines.map(({ line }) => line));
    this.asked = new Newest((z) => server.row(z), (found) => this.show(found), fail);
  }

  update(z) {
    this.asked.want(Float32Array.from(z));
  }

  words() {
    const told = this.columns.all.slice(0, MOST_TOLD);
    return told.map(({ name }, i) => `${name} ${this.columns.text(i, this.found?.values[i] ?? null)}`).join(", ");
  }

  show(found) {
    if (!this.found) this.onFirst(found.values);
    this.found = found;
    this.lines.forEach(({ line, cells }, i) => {
      const texts = [
        this.columns.text(i, found.values[i]),
        this.columns.spread(i, found),
        this.columns.text(i, found.nearest[i]),
      ];
      cells.forEach((td, k) => {
        if (td.textContent !== texts[k]) td.textContent = td.title = texts[k];
      });
      line.classList.toggle("differs", found.differs[i]);
    });
    $("row-distance").textContent = `distance ${found.distance.toFixed(2)} standard deviations per column`;
  }
}
