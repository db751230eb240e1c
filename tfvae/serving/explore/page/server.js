// Client of the HTTP API. Arrays are little-endian float32, which all browsers use.

const PAUSE = 1000; // ms between two looks whether the server is back
const NOBODY = [502, 503, 504]; // what a proxy answers for a server that is gone

export class ServerGone extends Error {}

let back = null; // the server's return, a promise; null while it is there
let quantiles = null; // of the ELBO of the examples
let known = null; // what it said of the model when the page was opened

export const whenBack = () => back ?? Promise.resolve();

// While the server is not responding, the only requests are to check whether it is back.
async function answer(path, read, options) {
  if (back) throw gone();
  try {
    const response = await fetch(`api/${path}`, options);
    if (response.ok) return await read(response);
    if (!NOBODY.includes(response.status)) throw await refusal(response);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // fetch throws a TypeError if there is no answer
  }
  back ??= look();
  throw gone();
}

async function look() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    const said = await fetch("api/model", { cache: "no-store" })
      .then((response) => (response.ok ? response.text() : null))
      .catch(() => null);
    if (said === null) continue;
    // The server may have restarted with another model.
    if (said !== known) location.reload();
    back = null;
    return;
  }
}

function gone() {
  return new ServerGone("The server is not responding; the page resumes when `tfvae explore` runs again.");
}

async function refusal(response) {
  let message = `The request failed with HTTP status ${response.status}.`;
  try {
    message = (await response.json()).error ?? message;
  } catch {
    // The response is not JSON; the status is all there is to report.
  }
  return new Error(message);
}

const bytes = (response) => response.arrayBuffer();
const floats = async (response) => new Float32Array(await bytes(response));
const json = (response) => response.json();
const posted = (body) => ({ method: "POST", body, headers: { "Content-Type": "application/octet-stream" } });

export const server = {
  choice: null, // the condition or the label that is chosen, as text
  async model() {
    known = await answer("model", (response) => response.text());
    return JSON.parse(known);
  },

  async points(numExamples, latentSize, choice) {
    const buffer = await answer("points", bytes);
    const split = 4 * numExamples * latentSize;
    const rest = split + 4 * numExamples;
    return {
      z: new Float32Array(buffer, 0, numExamples * latentSize),
      classOf: new Int32Array(buffer, split, numExamples),
      choiceOf: choice?.kind === "numbers" ? new Float32Array(buffer, rest) : new Int32Array(buffer, rest),
    };
  },

  example: (index) => answer(`example/${index}`, floats),
  decode: (z) => answer(`decode${chosen("?")}`, floats, posted(z)),
  // An x is compared with the ELBO of the examples, which the server computes only then.
  async encode(x) {
    const found = await answer(`encode${chosen("?")}`, json, posted(x));
    quantiles ??= (await answer("elbo", json)).quantiles;
    const below = quantiles.filter((value) => value <= found.elbo).length;
    return { ...found, share: Math.round((100 * below) / Math.max(1, quantiles.length)) };
  },

  row: (z) => answer(`row${chosen("?")}`, json, posted(z)),
  columns: (x) => answer(`columns${chosen("?")}`, json, posted(x)),

  logMarginal: (x) => answer(`log_marginal${chosen("?")}`, json, posted(x)),

  async prior(num, seed, latentSize) {
    const all = await answer(`prior?num=${num}&seed=${seed}${chosen("&")}`, floats);
    return { z: all.subarray(0, num * latentSize), values: all.subarray(num * latentSize) };
  },
};

const chosen = (mark) => (server.choice === null ? "" : `${mark}choice=${encodeURIComponent(server.choice)}`);

// Sends one request at a time and, of those that wait, keeps only the newest. A request that fails because the server
// is not responding is repeated when the server is back.
export class Newest {
  constructor(ask, use, fail) {
    Object.assign(this, { ask, use, fail, waiting: null, isBusy: false });
  }

  want(question) {
    this.waiting = { question };
    if (!this.isBusy) this.run();
  }

  // The answer to the current request is ignored too.
  forget() {
    this.waiting = null;
    this.dropped = true;
  }

  async run() {
    this.isBusy = true;
    while (this.waiting) {
      const { question } = this.waiting;
      this.waiting = null;
      this.dropped = false;
      try {
        const found = await this.ask(question);
        if (!this.dropped) this.use(found, question);
      } catch (error) {
        this.fail(error);
        if (!(error instanceof ServerGone)) continue;
        if (!this.dropped) this.waiting ??= { question };
        await whenBack();
      }
    }
    this.isBusy = false;
  }
}
