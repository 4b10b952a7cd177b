// @ts-check
// Where the data come from: the server, or what an exported file holds. Both answer the same questions; what a file can not
// answer, its `refusal` explains.

const EXPORT_REFUSAL = "this is an exported file; open the trace with synod debug to go on from here";

/**
 * @typedef {{ name: string, is_client: boolean }} NodeInfo
 * @typedef {{ leaf: number, name: string, is_named: boolean, violation: string | null }} BranchInfo
 * @typedef {{ title: string, command: string, nodes: NodeInfo[], kinds: string[], names: string[], terms: string[],
 *   invariants: string[], goals: string[], branches: BranchInfo[],
 *   violations: Array<{ moment: number, name: string, words: string }>, moments: number, head: number,
 *   request_help: string | null, can_search: boolean }} SessionInfo
 * @typedef {{ do: string, id?: number, node?: string, text?: string, from?: string, to?: string }} Act
 * @typedef {{ moment: number, moments: number }} Grown
 */

/** An error with the place in the text that it is about, if it is about one. */
export class SourceError extends Error {
  /** @param {string} words
   *  @param {number | null} column */
  constructor(words, column) {
    super(words);
    this.column = column;
  }
}

export class LiveSource {
  /** @param {string} token */
  constructor(token) {
    this.token = token;
    /** @type {string | null} */
    this.refusal = null;
  }

  /**
   * @param {string} path
   * @param {any} [body] makes it a POST
   * @param {AbortSignal} [signal]
   * @returns {Promise<Response>}
   */
  async ask(path, body, signal) {
    /** @type {Record<string, string>} */
    const headers = { "X-Synod-Token": this.token };
    if (body !== undefined && typeof body !== "string") headers["Content-Type"] = "application/json";
    /** @type {Response} */
    let answer;
    try {
      answer = await fetch("/api/" + path, {
        method: body === undefined ? "GET" : "POST",
        headers,
        body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
        signal,
      });
    } catch (error) {
      if (/** @type {Error} */ (error).name === "AbortError") throw error;
      throw new SourceError("The debugger does not answer. Is synod debug still running? Start it again and reload the page.", null);
    }
    if (answer.ok) return answer;
    /** @type {any} */
    let told = {};
    try {
      told = await answer.json();
    } catch {
      // The status has to do.
    }
    throw new SourceError(told.error ?? `The debugger answered ${answer.status} to ${path.split("?")[0]}: reload the page.`, told.column ?? null);
  }

  /** @param {string} path
   *  @param {any} [body]
   *  @param {AbortSignal} [signal]
   *  @returns {Promise<any>} */
  async json(path, body, signal) {
    return (await this.ask(path, body, signal)).json();
  }

  /** @returns {Promise<SessionInfo>} */
  session() {
    return this.json("session");
  }

  /** @param {number} from */
  async columns(from) {
    return (await this.ask("columns?from=" + from)).arrayBuffer();
  }

  /** @param {number} moment
   *  @param {number | null} base
   *  @param {AbortSignal} [signal] */
  moment(moment, base, signal) {
    return this.json(`moment?m=${moment}` + (base === null ? "" : `&base=${base}`), undefined, signal);
  }

  /** @param {number} moment
   *  @param {string} node
   *  @param {number | null} base
   *  @param {AbortSignal} [signal] */
  tree(moment, node, base, signal) {
    return this.json(`tree?m=${moment}&node=${encodeURIComponent(node)}` + (base === null ? "" : `&base=${base}`), undefined, signal);
  }

  /** @param {number} moment
   *  @param {string} node
   *  @param {string} path */
  why(moment, node, path) {
    return this.json(`why?m=${moment}&node=${encodeURIComponent(node)}&path=${encodeURIComponent(path)}`);
  }

  /** @param {number} at
   *  @param {Act} act
   *  @param {boolean} quick
   *  @returns {Promise<Grown>} */
  act(at, act, quick) {
    return this.json("act", quick ? { at, act, quick } : { at, act });
  }

  /** @param {number} at
   *  @param {number} steps
   *  @param {number} seed
   *  @returns {Promise<Grown>} */
  random(at, steps, seed) {
    return this.json("random", { at, steps, seed });
  }

  /** @param {any} wish
   *  @returns {Promise<{ job: number }>} */
  startJob(wish) {
    return this.json("job", wish);
  }

  /** @param {number} job */
  job(job) {
    return this.json("job?id=" + job);
  }

  /** @param {number} job */
  cancelJob(job) {
    return this.json("cancel", { job });
  }

  /** @param {string} predicate
   *  @param {number} at
   *  @param {AbortSignal} [signal]
   *  @returns {Promise<{ holds: boolean }>} */
  predicate(predicate, at, signal) {
    return this.json("predicate", { predicate, at }, signal);
  }

  /** @param {number} a
   *  @param {number} b */
  compare(a, b) {
    return this.json(`compare?a=${a}&b=${b}`);
  }

  /** @param {number} moment
   *  @param {string} name */
  name(moment, name) {
    return this.json("name", { moment, name });
  }

  /** @param {number[]} moments
   *  @returns {Promise<string[]>} */
  async titles(moments) {
    return (await this.json("titles", { moments })).titles;
  }

  /** @param {string} text
   *  @param {number} limit
   *  @param {AbortSignal} [signal]
   *  @returns {Promise<{ moments: number[], is_all: boolean }>} */
  find(text, limit, signal) {
    return this.json(`find?q=${encodeURIComponent(text)}&limit=${limit}`, undefined, signal);
  }

  /** @param {number} moment */
  async save(moment) {
    return (await this.ask("save?m=" + moment)).blob();
  }

  /** @param {string} trace
   *  @returns {Promise<Grown>} */
  load(trace) {
    return this.json("load", trace);
  }

  /** @param {number} moment
   *  @returns {Promise<{ command: string, rust: string, steps: number }>} */
  share(moment) {
    return this.json("share?m=" + moment);
  }

  /** @param {number} moment */
  async exportFile(moment) {
    return (await this.ask("export?m=" + moment)).blob();
  }
}

export class ExportedSource extends LiveSource {
  /** @param {any} data what stands in the element `exported` */
  constructor(data) {
    super("");
    this.data = data;
    this.refusal = EXPORT_REFUSAL;
  }

  /** @returns {Promise<any>} */
  async ask() {
    throw new SourceError("Not possible: " + EXPORT_REFUSAL + ".", null);
  }

  async session() {
    return this.data.session;
  }

  async columns() {
    const text = atob(this.data.columns);
    const bytes = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
    return bytes.buffer;
  }

  /** @param {number} moment */
  async moment(moment) {
    const found = this.data.moments?.[moment];
    if (!found) throw new SourceError(`Moment ${moment} is not in this file; ${EXPORT_REFUSAL}.`, null);
    return found;
  }

  /** @param {number} moment
   *  @param {string} node */
  async tree(moment, node) {
    return this.data.trees?.[`${moment}/${node}`] ?? null;
  }

  /** @param {number[]} moments */
  async titles(moments) {
    return moments.map((moment) => this.data.titles?.[moment] ?? "");
  }

  /** @param {string} text
   *  @param {number} limit */
  async find(text, limit) {
    const wanted = text.toLowerCase();
    /** @type {number[]} */
    const moments = [];
    const titles = this.data.titles ?? [];
    for (let moment = 0; moment < titles.length; moment++) {
      if (!String(titles[moment] ?? "").toLowerCase().includes(wanted)) continue;
      if (moments.length === limit) return { moments, is_all: false };
      moments.push(moment);
    }
    return { moments, is_all: true };
  }
}

/** The exported file's data if this page is one, else the server named by the address. */
export function openSource() {
  const exported = document.getElementById("exported");
  if (exported) return new ExportedSource(JSON.parse(exported.textContent ?? "{}"));
  return new LiveSource(new URLSearchParams(location.search).get("token") ?? "");
}
