// The user's own row of a table: an input for each column, encoded and decoded, with what is unusual about it.

import { Newest, server } from "./server.js";
import { signed } from "./space.js";

const $ = (id) => document.getElementById(id);
const STILL = 400; // ms without a change, after which log p(x) is estimated, which takes longer than the ELBO
const UNUSUAL = 0.02; // share of the examples
const LEAST = 50; // examples, to say what is unusual

export class OwnRow {
  constructor({ space, columns, model, choice, stopPath, fail }) {
    Object.assign(this, { space, columns, model, choice, stopPath, fail });
    this.values = Float32Array.from({ length: columns.size }, () => 0);
    this.fields = columns.shown.map((column, i) => this.field(column, i));
    $("own-fields").replaceChildren(...this.fields.map(({ row }) => row));
    this.errand = new Newest(
      async ({ x }) => {
        const [found, of] = await Promise.all([server.encode(x), server.columns(x)]);
        if (found.probs.length) choice.set(found.probs.indexOf(Math.max(...found.probs)));
        return { found, of };
      },
      ({ found, of }, { isNew }) => {
        this.report(found, of);
        if (isNew) space.goTo(Float32Array.from(found.loc));
      },
      fail,
    );
    this.estimate = new Newest(
      (x) => server.logMarginal(x),
      ({ log_marginal: value }) => ($("row-log-marginal").textContent = `log p(x) about ${signed(value)}`),
      fail,
    );
  }

  field(column, i) {
    const row = document.createElement("label");
    row.className = "field";
    const name = Object.assign(document.createElement("span"), { textContent: column.name, title: column.name });
    let input, output;
    if (column.categories.length) {
      input = document.createElement("select");
      input.replaceChildren(...column.categories.map((text, code) => new Option(text, code)));
      if (this.model.takes_missing) input.append(new Option("missing", "NaN"));
      output = document.createElement("span");
    } else {
      const { low, high, step } = column;
      input = Object.assign(document.createElement("input"), { type: "range", min: low, max: high, step });
      output = Object.assign(document.createElement("output"), { className: "number" });
      if (this.model.takes_missing) {
        output.title = "Click to make the value missing, or to set it again";
        output.classList.add("switch");
        output.addEventListener("click", (event) => {
          event.preventDefault();
          this.set(i, Number.isNaN(this.values[i]) ? Number(input.value) : NaN);
          this.send();
        });
      }
    }
    input.setAttribute("aria-label", column.name);
    input.addEventListener("input", () => {
      this.set(i, Number(input.value));
      this.send();
    });
    row.append(name, input, output);
    return { row, input, output };
  }

  set(i, value) {
    this.values[i] = value ?? NaN;
    if (i >= this.fields.length) return;
    const { input, output, row } = this.fields[i];
    const isMissing = Number.isNaN(this.values[i]);
    if (input.tagName === "SELECT") input.value = isMissing ? "NaN" : String(Math.round(value));
    else {
      if (!isMissing && document.activeElement !== input) input.value = value;
      output.textContent = this.columns.text(i, this.values[i]);
    }
    row.classList.toggle("missing", isMissing);
  }

  // Takes over the values of a row, such as the decoded one. Numbers have the decimals of the column.
  take(values, { send = true } = {}) {
    values.forEach((value, i) => {
      const { categories, step, low, high } = this.columns.all[i];
      if (value === null || categories.length) return this.set(i, value);
      const inside = Math.min(Math.max(value, low), high);
      this.set(i, Math.min(high, low + step * Math.round((inside - low) / step)));
    });
    if (send) this.send(false);
  }

  // A row that is not new is only measured again.
  send(isNew = true) {
    if (this.values.every(Number.isNaN)) return;
    this.stopPath();
    const x = Float32Array.from(this.values);
    this.hasSent = true;
    this.errand.want({ x, isNew });
    clearTimeout(this.timer);
    this.estimate.forget();
    $("row-log-marginal").textContent = "";
    this.timer = setTimeout(() => this.estimate.want(x), STILL);
  }

  // Measures the row again, for another condition.
  redo() {
    if (this.hasSent && this.choice.kind !== "label") this.send(false);
  }

  report(found, of) {
    $("row-elbo").textContent = signed(found.elbo);
    const { share } = found;
    const knows = this.model.num_examples >= LEAST;
    const odd = [];
    this.fields.forEach(({ row }, i) => {
      const isOdd = knows && of.rank[i] !== null && of.rank[i] <= UNUSUAL;
      row.classList.toggle("unusual", isOdd);
      const log = of.log_likelihood[i];
      row.title = log === null ? "" : `log p ${signed(log)}, at least that of ${Math.round(100 * of.rank[i])}% of examples`;
      if (isOdd) odd.push(this.columns.all[i].name);
    });
    const what = odd.length ? ` Unusual: ${odd.join(", ")}.` : knows ? " No column is unusual." : "";
    $("row-verdict").textContent = `In nats. A higher ELBO than ${share}% of the examples.${what}`;
  }
}
