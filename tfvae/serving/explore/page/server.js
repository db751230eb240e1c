// What the server is asked. Numbers travel as little-endian float32, which is what every browser's arrays are.

async function answer(path, options) {
  const response = await fetch(`api/${path}`, options);
  if (response.ok) return response;
  let message = `The server answered ${response.status}.`;
  try {
    message = (await response.json()).error ?? message;
  } catch {
    // No JSON: the status has to do.
  }
  throw new Error(message);
}

const floats = async (response) => new Float32Array(await response.arrayBuffer());
const posted = (body) => ({ method: "POST", body, headers: { "Content-Type": "application/octet-stream" } });

export const server = {
  model: async () => (await answer("model")).json(),

  async points(numExamples, latentSize) {
    const buffer = await (await answer("points")).arrayBuffer();
    const split = 4 * numExamples * latentSize;
    return { z: new Float32Array(buffer, 0, numExamples * latentSize), classOf: new Int32Array(buffer, split) };
  },

  example: async (index) => floats(await answer(`example/${index}`)),
  decode: async (z) => floats(await answer("decode", posted(z))),
  encode: async (x) => (await answer("encode", posted(x))).json(),

  async prior(num, seed, latentSize) {
    const all = await floats(await answer(`prior?num=${num}&seed=${seed}`));
    return { z: all.subarray(0, num * latentSize), values: all.subarray(num * latentSize) };
  },
};

// Questions that come faster than answers: one is under way, and of those that wait only the newest is kept.
export class Newest {
  constructor(ask, use, fail) {
    Object.assign(this, { ask, use, fail, waiting: null, isBusy: false });
  }

  want(question) {
    this.waiting = { question };
    if (!this.isBusy) this.run();
  }

  // What is under way is no longer wanted either.
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
      }
    }
    this.isBusy = false;
  }
}
